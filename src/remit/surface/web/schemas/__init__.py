"""What travels over HTTP: msgspec types, apart from the domain's own, and the way between the two."""
