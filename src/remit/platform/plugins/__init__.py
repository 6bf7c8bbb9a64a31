"""Plugins of other distributions: found by their entry points, run beside the loop."""
