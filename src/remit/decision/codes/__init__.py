"""Every code that a decision can carry, with its sentence and its remedy."""
