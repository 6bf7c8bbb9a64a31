"""Moments as people write them, and as the API takes them."""

from datetime import UTC, datetime

from remit.surface.cli.failures import Misused


def moment(text: str, *, command: str) -> str:
    """Read `2026-05-15T18:00Z` or `2026-05-15` (midnight UTC); a time without an offset is one of UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as misread:
        raise Misused(
            f"`{text[:64]}` is no moment, as 2026-05-15T18:00Z is", next_step=f"{command} --help"
        ) from misread
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).isoformat()
