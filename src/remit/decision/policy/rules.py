"""What an annotated policy says beyond permit and forbid."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

from remit.decision.answer.response import Disclose, Mode, Obligation, StepUp
from remit.decision.answer.terms import Bound, Silence
from remit.decision.policy import approvers, bounds
from remit.decision.policy.errors import Fault
from remit.decision.policy.marks import GRAMMAR, Mark, read_mark
from remit.decision.policy.step_up import LEAST_AGE, read_step_up
from remit.decision.policy.zones import is_zone

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OBLIGATION = re.compile(r"[a-z][a-z0-9_.-]{0,63}( [a-z][a-z0-9_.-]{0,63}=[^\s]{1,256}){0,8}")
_CONTROL = re.compile(r"[^\s;][^;\n]{0,79}")
_CONTROLS: Final = 16
_REASON_LIMIT: Final = 300
ANNOTATIONS: Final = frozenset(
    {
        "id", "mode", "approval", "stepup", "reason", "obligation", "zone", "disclose", "control", "source",
        "link", "remember", "silence", "bound",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One admitted policy, by the name that its author gave it."""

    id: str
    effect: Literal["permit", "forbid"]
    mode: Mode
    approval: str = ""
    """Who must say yes, if this permit is among those that decide."""
    silence: Silence | None = None
    """What follows when nobody answers; None for the installation's default."""
    bound: Bound | None = None
    """The widest yes that may be given; None for one call alone."""
    step_up: StepUp | None = None
    """How, and how lately, the user must have signed in."""
    reason: str = ""
    obligations: tuple[Obligation, ...] = ()
    zones: tuple[str, ...] = ()
    disclose: Disclose = Disclose.FULL
    controls: tuple[str, ...] = ()
    """Controls of a standard that this rule carries out, as `SOC 2 CC6.1` (R61)."""
    source: str = ""
    """Where the rule comes from: a law, a contract, a policy of the house, with its section (R61)."""
    remember: Mark | None = None
    """The mark that a call leaves if this applies to it; such a policy decides nothing."""


def read_rule(
    place: str,
    effect: Literal["permit", "forbid"],
    notes: Mapping[str, str],
    *,
    looks_back: bool = False,
) -> Rule | list[Fault]:
    """Read the annotations of one policy, or say everything that is wrong with them."""
    said = (*_faults(notes), *_misplaced(effect, notes, looks_back=looks_back))
    faults = [Fault(policy=notes.get("id") or place, sentence=sentence) for sentence in said]
    if faults:
        return faults
    return Rule(
        id=notes["id"],
        effect=effect,
        mode=Mode(notes.get("mode", Mode.ENFORCE)),
        approval=notes.get("approval", ""),
        silence=Silence(notes["silence"]) if "silence" in notes else None,
        bound=bounds.read_bound(notes["bound"]) if "bound" in notes else None,
        step_up=read_step_up(notes["stepup"]) if "stepup" in notes else None,
        reason=notes.get("reason", ""),
        obligations=tuple(_obligation(text) for text in _listed(notes.get("obligation", ""), ";")),
        zones=tuple(_listed(notes.get("zone", ""), " ")),
        disclose=Disclose(notes.get("disclose", Disclose.FULL)),
        controls=tuple(_listed(notes.get("control", ""), ";")),
        source=notes.get("source", "").strip(),
        remember=read_mark(notes["remember"]) if "remember" in notes else None,
    )


def _faults(notes: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(notes.keys() - ANNOTATIONS):
        yield f"annotation `@{name}` is not known{_meant(name)}; known are {', '.join(sorted(ANNOTATIONS))}"
    if not _ID.fullmatch(notes.get("id", "")):
        yield "each policy needs an `@id` of at most 64 letters, digits, `.`, `_`, `-`"
    yield from _bad_values(notes)
    yield from _bad_lists(notes)


def _misplaced(effect: str, notes: Mapping[str, str], *, looks_back: bool) -> Iterator[str]:
    """Annotations that mean nothing on a policy of this kind."""
    if effect == "forbid":
        # A forbid over time may be lifted by a person; any other is final.
        of_permits = ("stepup", "obligation") if looks_back else ("approval", "stepup", "obligation")
        yield from (
            f"`@{name}` belongs to a permit, this is a forbid" for name in of_permits if name in notes
        )
    yield from (
        f"`@{name}` says how `@approval` is asked, and there is none"
        for name in ("silence", "bound")
        if name in notes and "approval" not in notes
    )
    if looks_back and "bound" in notes:
        yield "`@bound` belongs to a permit: what looks at the past is asked about each time"
    if "remember" not in notes:
        return
    if read_mark(notes["remember"]) is None:
        yield f"`@remember` is `{notes['remember']}`, it is {GRAMMAR}"
    if effect == "forbid" or looks_back:
        yield "`@remember` belongs to a permit that does not look at the past itself"
    yield from (
        f"a policy with `@remember` decides nothing, `@{name}` has no meaning on it"
        for name in ("mode", "approval", "stepup", "obligation", "disclose")
        if name in notes
    )


def _meant(name: str) -> str:
    near = get_close_matches(name, ANNOTATIONS, n=1)
    return f", did you mean `@{near[0]}`?" if near else ""


def _bad_values(notes: Mapping[str, str]) -> Iterator[str]:
    for name, choices in (("mode", set(Mode)), ("disclose", set(Disclose)), ("silence", set(Silence))):
        if name in notes and notes[name] not in choices:
            yield f"`@{name}` is `{notes[name]}`, it is one of {', '.join(sorted(choices))}"
    if "approval" in notes and approvers.read_chain(notes["approval"]) is None:
        yield f"`@approval` is `{notes['approval']}`, it is {approvers.GRAMMAR}"
    if "bound" in notes and bounds.read_bound(notes["bound"]) is None:
        yield f"`@bound` is `{notes['bound']}`, it is {bounds.GRAMMAR}"
    if "stepup" in notes and read_step_up(notes["stepup"]) is None:
        yield (
            f"`@stepup` is `{notes['stepup']}`, it is an authentication context class, and if need be"
            f" ` max_age=` and {LEAST_AGE} seconds or more"
        )
    for name in ("reason", "source"):
        if len(notes.get(name, "")) > _REASON_LIMIT:
            yield f"`@{name}` has {len(notes[name])} characters, the limit is {_REASON_LIMIT}"


def _bad_lists(notes: Mapping[str, str]) -> Iterator[str]:
    for text in _listed(notes.get("obligation", ""), ";"):
        if not _OBLIGATION.fullmatch(text):
            yield f"`@obligation` holds `{text}`, it is `type name=value …`, several by `;`"
    controls = _listed(notes.get("control", ""), ";")
    if len(controls) > _CONTROLS or not all(map(_CONTROL.fullmatch, controls)):
        yield f"`@control` names controls of at most 80 characters, by `;`, at most {_CONTROLS}"
    for name in _listed(notes.get("zone", ""), " "):
        if not is_zone(name):
            yield f"`@zone` names `{name}`, which is no IANA time zone"


def _listed(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _obligation(text: str) -> Obligation:
    kind, *pairs = text.split(" ")
    properties = (pair.partition("=") for pair in pairs)
    return Obligation(type=kind, properties=tuple((name, value) for name, _, value in properties))
