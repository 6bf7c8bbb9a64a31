"""How rights stand against their use: what an agent needs, what it has and never uses."""
