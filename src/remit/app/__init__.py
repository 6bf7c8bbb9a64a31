"""Who knows everything: the only place that binds Protocols to implementations."""
