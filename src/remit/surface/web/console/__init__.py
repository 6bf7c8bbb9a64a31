"""The console: what was built out of `console/`, served as it is, to whoever is signed in."""
