"""The neutral model of meshes, their adapters, and the inventory."""
