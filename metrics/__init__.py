"""Golden signals of services: how they are measured, what is kept of them, what pages and changes ask."""
