"""A small Kubernetes API server: standard library, cryptography and nothing of the product."""
