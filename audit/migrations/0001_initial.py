"""The ledger and its index. Event and Head are made by SQL per vendor: the database itself refuses to rewrite them.

PostgreSQL: the migration role owns the schema for now, so what grants will refuse later is refused by triggers, which
fire always (in replica role too): events only at the end and with the right hash, the head only in step with them.
SQLite: the same refusals; they protect from accidents only, for whoever has the file can change it.
"""

from django.conf import settings
from django.db import migrations, models

GENESIS = "meshui-audit-v1"

POSTGRESQL = [
    "CREATE SCHEMA audit",
    "CREATE TABLE audit.head (one boolean PRIMARY KEY DEFAULT true CHECK (one), seq bigint NOT NULL, hash bytea NOT NULL)",
    "CREATE TABLE audit.event (seq bigint PRIMARY KEY, hash bytea NOT NULL UNIQUE, body text NOT NULL)",
    f"INSERT INTO audit.head VALUES (true, 0, sha256('{GENESIS}'))",
    """
    CREATE FUNCTION audit.reserve(OUT next_seq bigint, OUT at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      SELECT h.seq + 1 INTO next_seq FROM audit.head h FOR UPDATE;
      at := clock_timestamp();
    END $$
    """,
    """
    CREATE FUNCTION audit.append(body text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE h audit.head%ROWTYPE; x bytea;
    BEGIN
      SELECT * INTO h FROM audit.head FOR UPDATE;
      IF (body::json->>'seq')::bigint IS DISTINCT FROM h.seq + 1 THEN
        RAISE EXCEPTION 'audit: not the next event';
      END IF;
      x := sha256('\\x00'::bytea || h.hash || convert_to(body, 'UTF8'));
      INSERT INTO audit.event VALUES (h.seq + 1, x, body);
      RETURN h.seq + 1;
    END $$
    """,
    """
    CREATE FUNCTION audit.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'audit is append-only'; END $$
    """,
    """
    CREATE FUNCTION audit.next_only() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE h audit.head%ROWTYPE;
    BEGIN
      SELECT * INTO h FROM audit.head FOR UPDATE;
      IF NEW.seq IS DISTINCT FROM h.seq + 1
         OR NEW.hash IS DISTINCT FROM sha256('\\x00'::bytea || h.hash || convert_to(NEW.body, 'UTF8')) THEN
        RAISE EXCEPTION 'audit: not the next event';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION audit.move_head() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN UPDATE audit.head SET seq = NEW.seq, hash = NEW.hash; RETURN NULL; END $$
    """,
    """
    CREATE FUNCTION audit.head_step() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.seq IS DISTINCT FROM OLD.seq + 1
         OR NOT EXISTS (SELECT 1 FROM audit.event e WHERE e.seq = NEW.seq AND e.hash = NEW.hash) THEN
        RAISE EXCEPTION 'audit: head';
      END IF;
      RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit.event FOR EACH ROW EXECUTE FUNCTION audit.refuse()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.event FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse()",
    "CREATE TRIGGER next_only BEFORE INSERT ON audit.event FOR EACH ROW EXECUTE FUNCTION audit.next_only()",
    "CREATE TRIGGER move_head AFTER INSERT ON audit.event FOR EACH ROW EXECUTE FUNCTION audit.move_head()",
    "CREATE TRIGGER head_step BEFORE UPDATE ON audit.head FOR EACH ROW EXECUTE FUNCTION audit.head_step()",
    "CREATE TRIGGER one_head BEFORE INSERT OR DELETE ON audit.head FOR EACH ROW EXECUTE FUNCTION audit.refuse()",
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.head FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse()",
    """
    ALTER TABLE audit.event ENABLE ALWAYS TRIGGER no_change, ENABLE ALWAYS TRIGGER no_truncate,
      ENABLE ALWAYS TRIGGER next_only, ENABLE ALWAYS TRIGGER move_head
    """,
    """
    ALTER TABLE audit.head ENABLE ALWAYS TRIGGER head_step, ENABLE ALWAYS TRIGGER one_head,
      ENABLE ALWAYS TRIGGER no_truncate
    """,
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC",
]
POSTGRESQL_UNDO = ["DROP SCHEMA audit CASCADE"]

SQLITE = [
    "CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL)",
    "CREATE TABLE audit_event (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body TEXT NOT NULL)",
    # SHA-256 of GENESIS: SQLite has no such function.
    "INSERT INTO audit_head VALUES (1, 0, X'a3a852095d18e325c0335af67bd2e39a0d866a3bc23406981a3cba4a33778729')",
    """
    CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
    BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
    BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_event_next BEFORE INSERT ON audit_event
    WHEN NEW.seq IS NOT (SELECT seq + 1 FROM audit_head)
      OR EXISTS (SELECT 1 FROM audit_event WHERE seq = NEW.seq OR hash = NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'audit: not the next event'); END
    """,
    """
    CREATE TRIGGER audit_event_head AFTER INSERT ON audit_event
    BEGIN UPDATE audit_head SET seq = NEW.seq, hash = NEW.hash; END
    """,
    """
    CREATE TRIGGER audit_head_step BEFORE UPDATE ON audit_head
    WHEN NEW.seq IS NOT OLD.seq + 1
      OR NOT EXISTS (SELECT 1 FROM audit_event WHERE seq = NEW.seq AND hash = NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'audit: head'); END
    """,
    """
    CREATE TRIGGER audit_head_no_insert BEFORE INSERT ON audit_head
    BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
    BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END
    """,
]
SQLITE_UNDO = ["DROP TABLE audit_event", "DROP TABLE audit_head"]

IS_POSTGRESQL = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")


def make(apps, schema_editor):
    """Forward, and what tests use to begin a ledger anew."""
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement, params=None)


def unmake(apps, schema_editor):
    """Backward: history is gone then."""
    for statement in POSTGRESQL_UNDO if schema_editor.connection.vendor == "postgresql" else SQLITE_UNDO:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunPython(make, unmake),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('seq', models.BigIntegerField(primary_key=True, serialize=False)),
                ('hash', models.BinaryField(unique=True)),
                ('body', models.TextField()),
            ],
            options={
                'db_table': '"audit"."event"' if IS_POSTGRESQL else 'audit_event',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Head',
            fields=[
                ('one', models.BooleanField(default=True, primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField()),
                ('hash', models.BinaryField()),
            ],
            options={
                'db_table': '"audit"."head"' if IS_POSTGRESQL else 'audit_head',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('content', models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name='EventIndex',
            fields=[
                ('seq', models.BigIntegerField(primary_key=True, serialize=False)),
                ('event_id', models.UUIDField()),
                ('time', models.DateTimeField()),
                ('code', models.CharField(max_length=80)),
                ('action', models.CharField(max_length=80)),
                ('outcome', models.CharField(max_length=10)),
                ('origin', models.CharField(max_length=10)),
                ('reason', models.TextField(blank=True)),
                ('actor_kind', models.CharField(max_length=10)),
                ('actor_id', models.CharField(blank=True, max_length=64)),
                ('actor_name', models.CharField(max_length=200)),
                ('on_behalf_of', models.CharField(blank=True, max_length=200)),
                ('object_kind', models.CharField(blank=True, max_length=60)),
                ('object_id', models.CharField(blank=True, max_length=64)),
                ('object_name', models.CharField(blank=True, max_length=300)),
                ('change_id', models.CharField(blank=True, max_length=64)),
                ('change_number', models.BigIntegerField(blank=True, null=True)),
                ('cluster_id', models.CharField(blank=True, max_length=64)),
                ('cluster_name', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'indexes': [
                    models.Index(fields=['action', 'seq'], name='audit_ix_action'),
                    models.Index(fields=['outcome', 'seq'], name='audit_ix_outcome'),
                    models.Index(fields=['actor_name', 'seq'], name='audit_ix_actor'),
                    models.Index(fields=['object_kind', 'object_id', 'seq'], name='audit_ix_object'),
                    models.Index(fields=['change_id', 'seq'], name='audit_ix_change'),
                    models.Index(fields=['change_number', 'seq'], name='audit_ix_number'),
                    models.Index(fields=['cluster_id', 'seq'], name='audit_ix_cluster'),
                ],
            },
        ),
    ]
