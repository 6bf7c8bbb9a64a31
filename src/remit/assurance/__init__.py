"""PROVE: whether rights fit what they are used for."""
