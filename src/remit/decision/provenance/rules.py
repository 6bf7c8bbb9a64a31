"""May these values steer this effect? Pure; the answer names each argument, its source, and what was missing.

Two questions are asked of an effect. Did the user ask for an effect of this kind? Does what steers it
(recipient, account, host, credential, permission, code, object, amount) come from ground that is believed?
One no is a question to a person; two together, where the request left nothing open, are a refusal: an
approver in a hurry must not be the last line.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.decision.answer.response import Effect
from remit.decision.provenance.effects import HARD, Deed
from remit.decision.provenance.intent import Intent
from remit.decision.provenance.labels import Label
from remit.decision.provenance.lexicon import Doing
from remit.decision.provenance.look import answered
from remit.decision.provenance.normal import Shape, Value, values_in
from remit.decision.provenance.seen import Seen, Sighting
from remit.decision.provenance.sensitive import Kind
from remit.decision.provenance.trace import Traced, links_in

ALWAYS: Final = frozenset(
    {Kind.RECIPIENT, Kind.ACCOUNT, Kind.HOST, Kind.CREDENTIAL, Kind.CODE, Kind.PERMISSION, Kind.AMOUNT}
)
"""What steers every consequential effect."""
_DESTINATIONS: Final = ALWAYS - {Kind.AMOUNT}
_NAMED: Final = frozenset({Shape.MAIL, Shape.IBAN, Shape.PHONE})
_CHOOSES: Final = HARD | {Doing.UPDATE}
"""Effects on one thing among many: the user's words must tell which."""
_OUTGOING: Final = frozenset({Doing.SEND, Doing.SHARE, Doing.CREATE})


class Cause(StrEnum):
    """What spoke against a value or a call."""

    UNTRUSTED = "untrusted"
    IMITATION = "imitation"
    UNASKED = "unasked"
    ASTRAY = "astray"
    EGRESS = "egress"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One thing that speaks against a call; `argument` is empty where it is the call as a whole."""

    cause: Cause
    argument: str = ""
    kind: Kind = Kind.PLAIN
    label: Label = Label.UNKNOWN
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What provenance says of a call, the gravest ground first."""

    effect: Effect
    grounds: tuple[Ground, ...] = ()


FINE: Final = Ruling(effect=Effect.PERMIT)


def judge(seen: Seen, intent: Intent, deed: Deed, traced: tuple[Traced, ...]) -> Ruling:
    """Judge one call."""
    if deed.doing is Doing.READ:
        return _reading(traced)
    weak = tuple(_weaknesses(seen, intent, deed, traced))
    asked = intent.asks(deed.doing, deed.things) or agreed(seen, deed)
    if asked and not weak:
        return FINE
    grounds = weak if asked else (*weak, Ground(cause=Cause.UNASKED))
    return Ruling(effect=_effect(intent, deed, weak, asked=asked), grounds=grounds)


def agree(seen: Seen, deed: Deed, traced: tuple[Traced, ...]) -> None:
    """A person approved this very call: its effect and its values stand for the rest of the task."""
    yes = Sighting(label=Label.VERIFIED, source="approval")
    seen.remember(_deed_mark(deed), yes)
    for item in traced:
        if item.kind in ALWAYS | {Kind.OBJECT}:
            for value in (Value(Shape.TOKEN, item.text.strip()), *values_in(item.text)):
                if value.shape is not Shape.NUMBER or item.kind is Kind.AMOUNT:
                    seen.remember(value, yes)


def agreed(seen: Seen, deed: Deed) -> bool:
    """Whether a person approved an effect of this kind before, in this task."""
    return seen.sighting(_deed_mark(deed)).label is Label.VERIFIED


def _deed_mark(deed: Deed) -> Value:
    return Value(Shape.TOKEN, f"deed {deed.doing} {' '.join(sorted(deed.things))}")


def _reading(traced: tuple[Traced, ...]) -> Ruling:
    """Reading is free, but for asking a host that nobody believed named: what is asked there has left."""
    grounds = tuple(
        Ground(
            cause=Cause.EGRESS,
            argument=item.argument,
            kind=item.kind,
            label=item.ground.label,
            source=item.ground.source,
        )
        for item in traced
        if item.kind is Kind.HOST and not item.believed
    )
    return Ruling(effect=Effect.ASK, grounds=grounds) if grounds else FINE


def _weaknesses(seen: Seen, intent: Intent, deed: Deed, traced: tuple[Traced, ...]) -> list[Ground]:
    found: list[Ground] = []
    for item in traced:
        if item.imitates:
            found.insert(0, _ground(Cause.IMITATION, item))
        elif _steers(item.kind, deed) and not item.believed:
            found.append(_ground(Cause.UNTRUSTED, item))
        elif deed.doing in intent.answering and _strays(seen, item):
            found.append(_ground(Cause.ASTRAY, item))
        elif item.kind in {Kind.CONTENT, Kind.PLAIN} and deed.doing in _OUTGOING:
            link = links_in(seen, item.text)
            if link is not None:
                found.append(
                    Ground(
                        cause=Cause.LINK,
                        argument=item.argument,
                        kind=Kind.HOST,
                        label=link.label,
                        source=link.source,
                    )
                )
    return found


def _strays(seen: Seen, item: Traced) -> bool:
    """Whether an answer goes to somebody whom the user named, but not as the one to answer."""
    return (
        item.kind in {Kind.RECIPIENT, Kind.ACCOUNT}
        and item.ground.label is Label.USER
        and any(value.shape in _NAMED for value in values_in(item.text))
        and seen.sighting(answered(item.text)).label is not Label.USER
    )


def _ground(cause: Cause, item: Traced) -> Ground:
    return Ground(
        cause=cause,
        argument=item.argument,
        kind=item.kind,
        label=item.ground.label,
        source=item.ground.source,
    )


def _steers(kind: Kind, deed: Deed) -> bool:
    return kind in ALWAYS or (kind in {Kind.OBJECT, Kind.PATH} and deed.doing in _CHOOSES)


def _effect(intent: Intent, deed: Deed, weak: tuple[Ground, ...], *, asked: bool) -> Effect:
    if any(ground.cause is Cause.IMITATION for ground in weak):
        return Effect.DENY
    if asked or intent.loose:
        return Effect.ASK
    steered = any(ground.kind in _DESTINATIONS or deed.doing in HARD for ground in weak)
    return Effect.DENY if steered else Effect.ASK
