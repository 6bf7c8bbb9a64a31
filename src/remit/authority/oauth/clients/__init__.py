"""Clients as they are registered: their keys, certificates, addresses and documents."""
