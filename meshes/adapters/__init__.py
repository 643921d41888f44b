"""One file per mesh: pure translation."""
