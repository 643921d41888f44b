"""Read clusters into the inventory: ask for it, do it, keep what moved."""

from meshes.services.sync import due_syncs, request_sync, ring_due, sync_cluster

__all__ = ["due_syncs", "request_sync", "ring_due", "sync_cluster"]
