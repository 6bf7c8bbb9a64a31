"""The options of the platform and the surface; each wing above the kernel keeps its own beside its code.

The sentence under each field is its documentation: `reference` prints it, and a test demands it.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from remit.platform.settings.units import Bytes


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_API_BODY: Final = Bytes(1 << 20)
_MCP_BODY: Final = Bytes(4 << 20)
_HEADERS: Final = Bytes(32 << 10)
_URL: Final = Bytes(8 << 10)
_CEILINGS: Final = {
    "port": 65535,
    "max_body": 16 << 20,
    "max_mcp_body": 64 << 20,
    "max_headers": 256 << 10,
    "max_url": 64 << 10,
    "max_connections": 65536,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """The one port, and how much anybody may send to it."""

    host: str = "127.0.0.1"
    """Address that the server listens on."""
    port: int = 7480
    """Port that the server listens on."""
    max_body: Bytes = _API_BODY
    """Largest request body of the API and the OAuth endpoints."""
    max_mcp_body: Bytes = _MCP_BODY
    """Largest request body of the MCP gateway."""
    max_headers: Bytes = _HEADERS
    """Largest sum of all header names and values of one request."""
    max_url: Bytes = _URL
    """Longest path and query of one request."""
    body_timeout: timedelta = timedelta(seconds=30)
    """How long a request body may take to arrive."""
    header_timeout: timedelta = timedelta(seconds=5)
    """How long a connection may take to send its first request's headers."""
    idle_timeout: timedelta = timedelta(seconds=30)
    """How long a connection may rest between two requests."""
    max_connections: int = 1024
    """Connections that are open at one time; one more is answered with 503."""

    def __post_init__(self) -> None:
        """Hold the ceilings: a limit that anybody can lift is none (security 3)."""
        for name, ceiling in _CEILINGS.items():
            value = getattr(self, name)
            if not 0 <= value <= ceiling:
                raise ValueError(f"setting `http.{name}` is {value}, the ceiling is {ceiling}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """The system of record."""

    url: str = ""
    """`postgresql://…`; empty keeps a SQLite file in the data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOptions:
    """The key that encrypts all other keys at rest."""

    kek_file: Path | None = None
    """File with the key-encryption key (mode 0600, at least 32 bytes); absent means `kek` in `data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryOptions:
    """What the process says about itself; never a token, a secret or content."""

    log_format: LogFormat = LogFormat.CONSOLE
    """`console` for a terminal, `json` for a collector."""
    log_level: LogLevel = LogLevel.INFO
    """The least severe line that is written."""
