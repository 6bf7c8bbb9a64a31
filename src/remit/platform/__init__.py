"""What it stands on: storage, telemetry, settings, the outbound client. Knows SQL and sockets, no rules."""
