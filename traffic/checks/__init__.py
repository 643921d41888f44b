"""Checks of a proposal, each with an id that is never reused. Pure: a route in, findings out."""
