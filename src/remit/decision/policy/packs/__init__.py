"""Policy texts that come with the product: a start that asks where it matters, and packs for kinds of work.

A pack is about the agents of one segment (`triggers` about all), names no server and no tool, and so fits
every directory; its scenarios say what it is meant to do.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

PACKS: Final = ("coding", "data", "finance", "mail-calendar", "support", "triggers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """One pack: its policies (Cedar) and its scenarios (YAML)."""

    name: str
    policies: str
    scenarios: str

    @property
    def about(self) -> str:
        """Its first line, without the mark of a comment."""
        return self.policies.partition("\n")[0].removeprefix("// ")


def pack(name: str) -> Pack:
    """One of `PACKS`; raises `KeyError` for another name."""
    if name not in PACKS:
        raise KeyError(name)
    return Pack(name=name, policies=_text(f"{name}.cedar"), scenarios=_text(f"{name}.yaml"))


def default_text() -> str:
    """The text that a new installation publishes as its first version."""
    return _text("default.cedar")


def _text(file: str) -> str:
    return files(__package__).joinpath(file).read_text(encoding="utf-8")
