"""Server-rendered pages: they work without script, under a policy that allows none."""
