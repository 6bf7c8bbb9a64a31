"""A decision in its unit of work: looked up beforehand, drafted, paid for, approved, used."""
