"""Template tags of traffic."""
