"""Real servers for everything in this folder."""

from lab.pytest_plugin import lab, lab_cluster, lab_crds, lab_prometheus

__all__ = ["lab", "lab_cluster", "lab_crds", "lab_prometheus"]
