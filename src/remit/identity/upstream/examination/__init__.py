"""A connected provider, looked at step by step as this server meets it: what fails, what mends it."""
