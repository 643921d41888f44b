"""Changes: proposed, approved, applied, verified, proved."""
