"""People's attention: what may take it, what is laid before them together, and how well they answer."""
