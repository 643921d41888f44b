"""Pages of traffic: the fleet, the split form, change requests."""
