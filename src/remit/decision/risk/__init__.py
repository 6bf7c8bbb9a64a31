"""How much could go wrong with this call: one number, and what it is made of. Pure."""
