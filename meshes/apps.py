"""The app's configuration."""

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from audit.types import register_actions
from clusters.beside import tell_sync
from clusters.removal import follow_removal
from meshes.actions import ACTIONS


class MeshesConfig(AppConfig):
    """Meshes."""

    name = "meshes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the audit actions known and the adapters checked; follow clusters that go, tell how fresh they are."""
        register_actions(ACTIONS)
        follow_removal(import_string("meshes.services.leaving.put_away"))  # models are there only now
        tell_sync(import_string("meshes.selectors.sync_facts"))
        checks.register(check_adapters)


def check_adapters(**_: object) -> list[checks.CheckMessage]:
    """MSH001: every adapter of settings.MESH_ADAPTERS imports and bears the kind it is registered under."""
    found: list[checks.CheckMessage] = []
    for kind, path in settings.MESH_ADAPTERS.items():
        try:
            adapter = import_string(path)
        except ImportError as error:
            found.append(checks.Error(f"MESH_ADAPTERS[{kind!r}] = {path!r}: {error}", id="MSH001"))
            continue
        if adapter.kind != kind:
            found.append(checks.Error(f"{path} is of kind {adapter.kind!r}, not {kind!r}.", id="MSH001"))
    return found
