"""Adapters: each fulfils one Protocol of one wing with what another wing offers. No rule lives here."""
