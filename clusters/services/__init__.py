"""Verbs of clusters: add, remove, test, allow writes, adopt, replace what opens them. No network in a transaction."""

from clusters.services.checking import Check, check_cluster, due_checks, keep_check, request_check, ring_due
from clusters.services.credentials import replace_credential, rotate_credentials
from clusters.services.probing import probe_clusters, ring_probes
from clusters.services.rates import count_intake, count_test
from clusters.services.register import NewCluster, add_cluster, remove_cluster, require_callable, set_namespaces
from clusters.services.states import adopt_identity, allow_writes, forbid_writes

__all__ = [
    "Check",
    "NewCluster",
    "add_cluster",
    "adopt_identity",
    "allow_writes",
    "check_cluster",
    "count_intake",
    "count_test",
    "due_checks",
    "forbid_writes",
    "keep_check",
    "probe_clusters",
    "remove_cluster",
    "replace_credential",
    "request_check",
    "require_callable",
    "ring_due",
    "ring_probes",
    "rotate_credentials",
    "set_namespaces",
]
