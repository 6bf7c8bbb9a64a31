"""Identities that others issue: whom we believe, about which workloads, and which agent each of them is."""
