"""MeshUI: one pane of glass for the traffic of every mesh in every cluster."""
