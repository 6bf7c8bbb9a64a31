"""Logs of tests as plain lines: the default draws each traceback with all its variables, for seconds."""

import structlog


def log_plainly() -> None:
    """Set the chain of whoever has configured none."""
    structlog.reset_defaults()
    given = structlog.get_config()["processors"][:-1]
    last = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*given, last])
