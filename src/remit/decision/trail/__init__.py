"""What is kept of a decision: its trace, its record, and both in plain words."""
