"""The trust matrix as values: other authorization servers, rules over them, their people, what they began."""
