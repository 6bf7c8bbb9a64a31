"""What an installation should hold, as a file says it (TOML or JSON); an unknown member is an error."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from remit.kernel.canonical import parse_object
from remit.kernel.errors import RemitError
from remit.surface.cli.failures import Misused


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all entries of the directory state."""

    name: str
    purpose: str = ""
    environment: str | None = None
    owner: str | None = None
    attributes: dict[str, str] = {}
    ceiling: dict[str, Any] | None = None


class WantedUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person; `key` is where a new device key is written if they are new."""

    name: str
    email: str | None = None
    roles: list[str] = []
    teams: list[str] = []
    key: str | None = None


class WantedBlueprint(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A blueprint."""


class WantedAgent(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent; with `key`, a new one gets an instance whose key is written there, and is activated."""

    blueprint: str
    key: str | None = None


class WantedTool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool to pin; without `definition` as the server sent it last."""

    name: str
    definition: dict[str, Any] | None = None
    mapping: dict[str, Any] | None = None
    consequential: bool = True
    reversible: bool = False


class WantedServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An MCP server with its tools."""

    name: str
    transport: str
    purpose: str
    environment: str
    owner: str | None = None
    url: str = ""
    argv: list[str] = []
    env: dict[str, str] = {}
    allow_legacy: bool = False
    instructions: str = ""
    tools: list[WantedTool] = []


class Desired(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file; `policies` are Cedar files or folders, beside the file."""

    users: list[WantedUser] = []
    blueprints: list[WantedBlueprint] = []
    agents: list[WantedAgent] = []
    servers: list[WantedServer] = []
    policies: list[str] = []


def read_desired(path: Path) -> Desired:
    """Read TOML or JSON, by the file's name; nothing else, so that no YAML can surprise (DS-13)."""
    try:
        raw = path.read_bytes()
        document = parse_object(raw) if path.suffix == ".json" else _toml(path, raw)
        return msgspec.convert(document, Desired)
    except OSError as absent:
        raise Misused(f"`{path}` cannot be read", next_step="remit apply -f remit.toml") from absent
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RemitError) as broken:
        raise Misused(f"`{path}` is neither TOML nor JSON: {broken}", next_step="mend the file") from broken
    except msgspec.ValidationError as wrong:
        raise Misused(f"`{path}`: {wrong}".lower(), next_step="mend the file") from wrong


def _toml(path: Path, raw: bytes) -> dict[str, Any]:
    if path.suffix != ".toml":
        raise Misused(f"`{path}` is neither `.toml` nor `.json`", next_step="remit apply -f remit.toml")
    if len(raw) > 1 << 20:
        raise Misused(f"`{path}` has {len(raw)} bytes, the limit is {1 << 20}", next_step="split the file")
    return tomllib.loads(raw.decode())
