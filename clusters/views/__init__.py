"""Pages of clusters: the list, one cluster, bringing what opens them, verbs, least rights."""
