"""Audit: see docs/architecture.md."""
