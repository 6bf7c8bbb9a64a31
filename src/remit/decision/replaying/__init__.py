"""A candidate policy on decisions that were made before (N5)."""
