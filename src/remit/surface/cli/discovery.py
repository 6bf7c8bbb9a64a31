"""What `remit server discover` shows, and the pins that it proposes: a lawful start, for a person to read."""

import json
from typing import Any, Final

from remit.surface.cli.render import visible

OPEN: Final = frozenset({"new", "changed", "waiting"})
"""Standings that a pin would settle."""


def rows(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line per tool: how it stands, what is wrong, and its action where it has one."""
    return [
        {
            "name": each["name"],
            "standing": each["standing"],
            "pin": (each.get("tool") or {}).get("pin", ""),
            "action": ((each.get("tool") or {}).get("mapping") or {}).get("action", ""),
            "cause": each.get("cause", ""),
        }
        for each in found
    ]


def proposals(server: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A pin for each open tool, of the definition that was sent: its own mapping, or the plainest one.

    The plainest takes every argument as material, the whole server as the resource, and the worst of what a
    call may do; no policy permits such an action before somebody writes one that does.
    """
    return [_proposal(server, each["tool"]) for each in found if each["standing"] in OPEN]


def described(pin: dict[str, Any]) -> list[str]:
    """A proposed pin for a person to read: all that a server wrote is made visible."""
    return [
        f"{visible(pin['name'])}  {'consequential' if pin['consequential'] else 'harmless'}",
        f"  definition  {visible(json.dumps(pin['definition'], ensure_ascii=False))}",
        f"  mapping     {visible(json.dumps(pin['mapping'], ensure_ascii=False))}",
    ]


def _proposal(server: str, tool: dict[str, Any]) -> dict[str, Any]:
    definition = tool.get("seen") or tool["definition"]
    return {
        "name": tool["name"],
        "definition": definition,
        "consequential": tool["consequential"],
        "reversible": tool["reversible"],
        "mapping": tool.get("mapping") or _plainest(server, tool["name"], definition),
    }


def _plainest(server: str, name: str, definition: dict[str, Any]) -> dict[str, Any]:
    arguments = (definition.get("inputSchema") or {}).get("properties") or {}
    return {
        "action": name,
        "resource": {"type": "Server", "fixed": server},
        "arguments": ["/" + argument.replace("~", "~0").replace("/", "~1") for argument in arguments],
    }
