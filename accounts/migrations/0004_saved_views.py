# A person's own views of lists.

import django.db.models.deletion
import meshui.lib.clock
import meshui.lib.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_sessions")]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.UUIDField(default=meshui.lib.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=60)),
                ("path", models.CharField(max_length=500)),
                ("query", models.CharField(blank=True, max_length=2000)),
                ("is_default", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=meshui.lib.clock.now)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["path", "name"]},
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(fields=("user", "path", "name"), name="saved_view_name"),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("user", "path"), name="saved_view_default"
            ),
        ),
    ]
