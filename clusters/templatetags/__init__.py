"""Tags of pages about clusters."""
