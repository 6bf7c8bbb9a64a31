"""Cedar policies: admitted by Cedar's own parser and validator, evaluated, explained."""
