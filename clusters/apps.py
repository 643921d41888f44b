"""The app's configuration."""

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.db import DatabaseError

from audit.types import register_actions
from clusters.actions import ACTIONS
from clusters.secrets import key_id


class ClustersConfig(AppConfig):
    """Clusters."""

    name = "clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the audit actions known, and the keys checked before a deployment."""
        register_actions(ACTIONS)
        checks.register(check_keys, deploy=True)


def check_keys(**_: object) -> list[checks.CheckMessage]:
    """CLS001: no stored credential needs a key that MESHUI_CREDENTIAL_KEYS has lost. Silent without a database."""
    known = [key_id(key) for key in settings.CREDENTIAL_KEYS]
    credentials = apps.get_model("clusters", "Credential")._default_manager  # noqa: SLF001 - Django's documented way
    rows = credentials.exclude(key_id__in=known)
    try:
        count = rows.count()
    except DatabaseError:  # not there yet, or not migrated: nothing is stored
        return []
    if not count:
        return []
    hint = "Put the dropped key back behind the new one, run manage.py rotate_credentials, then drop it."
    return [checks.Error(f"{count} stored credentials need a key that is gone.", hint=hint, id="CLS001")]
