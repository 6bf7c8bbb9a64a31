"""Break glass: two persons lift named rules for a short while, in sight of everybody, and it is reviewed."""
