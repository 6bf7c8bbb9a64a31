"""What one step found, and the way through steps that stand on each other."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One step; `fix` says what mends it where `ok` is false."""

    step: str
    ok: bool
    detail: str
    fix: str = ""


def well(step: str, detail: str) -> Finding:
    """Nothing is wrong here."""
    return Finding(step=step, ok=True, detail=detail)


def ill(step: str, detail: str, fix: str) -> Finding:
    """This is wrong; say what mends it."""
    return Finding(step=step, ok=False, detail=detail, fix=fix)


def either(step: str, *, ok: bool, well: str, ill: str, fix: str) -> Finding:
    """One of two, whichever holds."""
    return Finding(step=step, ok=ok, detail=well if ok else ill, fix="" if ok else fix)
