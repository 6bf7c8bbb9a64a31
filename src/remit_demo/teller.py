"""How the story looks on a terminal: numbered steps, the commands that were run, what came back."""

import os
import sys
import textwrap
import time
from typing import Any, Final

_WIDTH: Final = 100
_COLOURS: Final = {"good": "32", "bad": "31", "ask": "33", "dim": "2", "bold": "1"}


class Teller:
    """Prints; knows nothing."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.at = 0
        """Number of the step that is being told; 0 before the first."""
        self._began = time.monotonic()

    def step(self, title: str) -> None:
        """Begin the next step."""
        self.at += 1
        self._print(f"\n{self._paint('bold', f'{self.at}  {title}')}")

    def command(self, text: str) -> None:
        """A command that was run as shown."""
        self._print(self._paint("dim", f"   $ {text}"))

    def say(self, kind: str, word: str, text: str) -> None:
        """One fact: a word in colour and a sentence."""
        lines = textwrap.wrap(text, _WIDTH - 14) or [""]
        self._print(f"   {self._paint(kind, f'{word:<9}')}  {lines[0]}")
        for line in lines[1:]:
            self._print(f"   {'':<9}  {line}")

    def lines(self, text: str, *, most: int = 40) -> None:
        """What a command printed, indented; of a long list its beginning, and how much more there was."""
        lines = text.rstrip().splitlines()
        for line in lines[:most]:
            self._print(f"     {line}")
        if len(lines) > most:
            self._print(self._paint("dim", f"     … and {len(lines) - most} lines more"))

    def denial(self, said: dict[str, Any]) -> None:
        """A structured denial: reason, nearest miss, remedy."""
        self.say("bad", "denied", f"{said['message']}  [{said['code']}]")
        for miss in said.get("nearest_miss", []):
            self.say("dim", "nearest", _miss(miss))
        remedy = said.get("remedy") or {}
        self.say("dim", "remedy", f"{remedy.get('action', 'none')} {remedy.get('tell_user', '')}".strip())

    def elapsed(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._began

    def _paint(self, kind: str, text: str) -> str:
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self._colour else text

    def _print(self, text: str) -> None:
        print(text, flush=True)


def _miss(miss: dict[str, Any]) -> str:
    parts = [f"{name} {value}" for name, value in miss.items() if name not in {"then", "rule"} and value]
    return f"{', '.join(parts)} → {miss.get('then', 'never')}"
