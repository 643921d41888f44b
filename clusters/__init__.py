"""Clusters: see docs/architecture.md."""
