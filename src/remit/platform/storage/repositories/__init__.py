"""Each wing's repositories over SQL, under the name of the wing."""
