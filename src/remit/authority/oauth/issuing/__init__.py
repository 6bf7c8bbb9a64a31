"""How a token comes to be: drawn up, used up, on record, in one transaction."""
