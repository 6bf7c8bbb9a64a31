"""How wide a yes is: once, or bounded by calls, time, arguments and resources; chosen, signed, granted."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from remit.decision.answer.terms import ArgumentLimit, Bound
from remit.decision.call.covering import admits
from remit.decision.call.digest import pointed, rest_digest
from remit.decision.policy.bounds import narrower
from remit.kernel.canonical import Digest, canonical_json, framed_digest, parse_object
from remit.oversight.errors import WiderThanAllowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an approver chooses, before the clock that it runs by has started.

    `resources` names what it covers besides the asked one, as `Order:8812`.
    """

    calls: int
    minutes: int
    limits: tuple[ArgumentLimit, ...] = ()
    resources: tuple[str, ...] = ()

    @property
    def digest(self) -> Digest:
        """What is signed of it."""
        stated = msgspec.to_builtins(self)
        return framed_digest("remit/approval-scope/v1", [canonical_json(stated)])

    @property
    def sentence(self) -> str:
        """In our words, for the card, the record and `why`."""
        parts = [f"up to {self.calls} calls within {self.minutes} minutes"]
        parts += [_limit(each) for each in self.limits]
        if self.resources:
            parts.append(f"on {', '.join(self.resources)} too")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A bounded yes that was given: what it covers, until when; its calls are counted elsewhere."""

    choice: Choice
    until: datetime
    rest: Digest
    """Of the arguments that may not differ."""
    loose: tuple[str, ...]
    """Pointers to the arguments that may, within the limits."""
    resources: tuple[str, ...]
    """All that it covers, as `Type:id`."""
    generation: int
    """Of the clock that `until` is told by: a clock that was set back ends it."""


def word(answer: str, choice: Choice | None) -> str:
    """What is signed as the answer: a yes for once, or to exactly this scope."""
    return answer if choice is None else f"{answer}:{choice.digest}"


def granted(
    choice: Choice,
    bound: Bound | None,
    *,
    arguments: str,
    resource: str,
    resource_at: str,
    immaterial: tuple[str, ...],
    at: datetime,
    generation: int,
) -> Scope:
    """Make a choice a scope. Raises `WiderThanAllowed`.

    1 the rule allows a bounded yes   2 calls, minutes, limits and resources are within the rule's
    3 the very call that was asked about is within it.
    """
    if bound is None:
        raise WiderThanAllowed("this is approved for one call alone", next_step="approve it once")
    resources = tuple(dict.fromkeys((resource, *choice.resources)))
    mine = Bound(calls=choice.calls, minutes=choice.minutes, limits=choice.limits, resources=len(resources))
    kind = resource.partition(":")[0]
    if not narrower(mine, bound) or any(not each.startswith(f"{kind}:") for each in resources):
        raise WiderThanAllowed(f"the rule allows at most {told(bound)}", next_step="choose less")
    said = parse_object(arguments.encode())
    if not all(admits(limit, *pointed(said, limit.pointer)) for limit in choice.limits):
        raise WiderThanAllowed(
            "the limits leave out the call that is asked about", next_step="approve it once"
        )
    loose = (*immaterial, *(limit.pointer for limit in choice.limits))
    if len(resources) > 1 and resource_at:
        loose = (*loose, resource_at)
    return Scope(
        choice=choice,
        until=at + timedelta(minutes=choice.minutes),
        rest=rest_digest(said, loose),
        loose=loose,
        resources=resources,
        generation=generation,
    )


def told(bound: Bound) -> str:
    """The widest yes, in our words."""
    parts = [f"{bound.calls} calls within {bound.minutes} minutes", *map(_limit, bound.limits)]
    return ", ".join([*parts, f"{bound.resources} resources"] if bound.resources > 1 else parts)


def _limit(limit: ArgumentLimit) -> str:
    return f"{limit.pointer} up to {limit.at_most}" if limit.at_most else f"any {limit.pointer}"
