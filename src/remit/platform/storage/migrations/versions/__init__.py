"""One file per migration: number, verb, noun; one change each."""
