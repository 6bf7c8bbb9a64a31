"""Who is on call when, and who stands in for whom while they are away."""
