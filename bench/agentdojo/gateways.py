"""What stands between: Remit's own provenance, and the baselines that it is compared with."""

import json
import re
from dataclasses import replace
from typing import Any, Protocol

from remit.decision.answer.response import Effect
from remit.decision.provenance.house import NOBODY, House
from remit.decision.provenance.labels import Label
from remit.decision.provenance.lexicon import Doing
from remit.decision.provenance.normal import Shape, host_of, values_in
from remit.decision.provenance.sensitive import Kind
from remit.decision.provenance.witness import Profile, Witness, profile_of


class Gateway(Protocol):
    """Gets the prompt, each call, and what was seen so far; never the labels of the evaluation."""

    def judge(self, tool: str, args: dict[str, Any]) -> tuple[Effect, str]:
        """Permit, ask or deny, and why."""

    def approved(self, tool: str, args: dict[str, Any]) -> None:
        """A person said yes to exactly this call."""

    def saw(self, tool: str, args: dict[str, Any], result: Any) -> None:
        """The agent sees a result."""


def profiles(tools: Any) -> dict[str, Profile]:
    """The tools of a suite, read from what an MCP server would list; nothing is declared by hand."""
    return {
        tool.name: profile_of(tool.name, tool.description, tool.parameters.model_json_schema())
        for tool in tools
    }


class Remit:
    """The product's decision code."""

    house = NOBODY

    def __init__(self, prompt: str, known: dict[str, Profile], truth: frozenset[str]) -> None:
        del truth
        self._known = {name: replace(each, house=self.house) for name, each in known.items()}
        self._witness = Witness.of_goal(prompt, key=b"evaluation")

    def judge(self, tool: str, args: dict[str, Any]) -> tuple[Effect, str]:
        """See `Gateway`."""
        if tool not in self._known:
            return Effect.DENY, "unknown tool"
        ruling = self._witness.judge(self._known[tool], args)
        return ruling.effect, "; ".join(
            f"{g.cause}:{g.argument}:{g.kind}:{g.label}:{g.source}" for g in ruling.grounds
        )

    def approved(self, tool: str, args: dict[str, Any]) -> None:
        """See `Gateway`."""
        self._witness.approved(self._known[tool], args)

    def saw(self, tool: str, args: dict[str, Any], result: Any) -> None:
        """See `Gateway`."""
        self._witness.saw(self._known[tool], args, result)


class Declared(Remit):
    """The same after two words of an administrator: a messenger's handles and a mail domain are the house.

    The server's standing is `members`, and `gateway.mail_domains` has the domain of the person who asks. No
    tool, argument or record is declared.
    """

    house = House(domains=frozenset({"bluesparrowtech.com"}), members=True)


class PermitAll:
    """No authorization at all."""

    def __init__(self, prompt: str, known: dict[str, Profile], truth: frozenset[str]) -> None:
        del prompt, known, truth

    def judge(self, tool: str, args: dict[str, Any]) -> tuple[Effect, str]:
        """See `Gateway`."""
        del tool, args
        return Effect.PERMIT, ""

    def approved(self, tool: str, args: dict[str, Any]) -> None:
        """See `Gateway`."""

    def saw(self, tool: str, args: dict[str, Any], result: Any) -> None:
        """See `Gateway`."""


class OracleNames(PermitAll):
    """Perfect least privilege on names: exactly the tools of the user's ground truth."""

    def __init__(self, prompt: str, known: dict[str, Profile], truth: frozenset[str]) -> None:
        super().__init__(prompt, known, truth)
        self._truth = truth

    def judge(self, tool: str, args: dict[str, Any]) -> tuple[Effect, str]:
        """See `Gateway`."""
        del args
        return (Effect.PERMIT if tool in self._truth else Effect.DENY), "not of the task"


class PlainTaint:
    """Forty lines: ask if an effect's value was seen and not typed by the user, or a host is new."""

    def __init__(self, prompt: str, known: dict[str, Profile], truth: frozenset[str]) -> None:
        del truth
        self._prompt = prompt.casefold()
        self._known = known
        self._hosts = {value.text for value in values_in(prompt) if value.shape is Shape.HOST}
        self._seen = ""

    def judge(self, tool: str, args: dict[str, Any]) -> tuple[Effect, str]:
        """See `Gateway`."""
        profile = self._known.get(tool)
        if profile is None:
            return Effect.DENY, "unknown tool"
        if profile.deed.doing is Doing.READ:
            links = [
                str(args[name])
                for name, kind in profile.kinds.items()
                if kind is Kind.HOST and args.get(name)
            ]
            new = [link for link in links if host_of(link) not in self._hosts]
            return (Effect.ASK if new else Effect.PERMIT), "new host" if new else ""
        for value in _strings(args):
            text = value.casefold()
            if len(text) > 2 and text in self._seen and text not in self._prompt:
                return Effect.ASK, f"{Label.TEXT}: {value[:40]}"
            if any(part in self._seen and part not in self._prompt for part in _parts(text)):
                return Effect.ASK, f"{Label.TEXT}: {value[:40]}"
        return Effect.PERMIT, ""

    def approved(self, tool: str, args: dict[str, Any]) -> None:
        """See `Gateway`."""

    def saw(self, tool: str, args: dict[str, Any], result: Any) -> None:
        """See `Gateway`."""
        del tool, args
        self._seen += "\n" + json.dumps(result, default=str).casefold()


def _strings(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for member in node.values() for text in _strings(member)]
    if isinstance(node, list | tuple):
        return [text for member in node for text in _strings(member)]
    return [str(node)] if isinstance(node, str | int | float) and not isinstance(node, bool) else []


def _parts(text: str) -> list[str]:
    return [part for part in re.findall(r"[\w.+-]+@[\w.-]+|https?://\S+|\b[a-z]{2}\d{10,}\b", text) if part]
