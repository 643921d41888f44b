"""Measurements, one command each: `python -m bench sync`. Nothing here is part of the product."""
