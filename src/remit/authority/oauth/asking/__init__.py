"""What clients ask of people: a request on its way, its answer, and the family that comes of it."""
