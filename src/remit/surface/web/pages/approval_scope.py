"""The scope that an approver chooses on the page: read from the address to be shown, from the form to count.

Choosing changes nothing: it is a page of its own, which says in our words what the yes would be to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from remit.decision.answer.terms import Bound
from remit.kernel.canonical import canonical_json
from remit.oversight.approvals.approval import Approval
from remit.oversight.approvals.scope import Choice, told
from remit.oversight.errors import WiderThanAllowed
from remit.surface.web.schemas.oversight import ScopeBody

_BODY: Final = msgspec.json.Decoder(ScopeBody)
_LIMIT: Final = 8192
_FEW_CALLS: Final = 3
_FEW_MINUTES: Final = 15
"""What the form starts from: little, so that wide is chosen and not overlooked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeField:
    """One argument that may differ, as the form offers it."""

    name: str
    pointer: str
    at_most: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the page offers beyond one call, and what was chosen of it."""

    widest: str
    bound: Bound
    fields: tuple[ScopeField, ...]
    chosen: Choice | None
    calls: int
    minutes: int
    resources: str
    stated: str
    """The chosen scope as the form brings it back; empty for one call."""
    fixed: bool
    """Whether somebody has said yes to it before, so that nothing is left to choose."""


def offer(approval: Approval, chosen: Choice | None) -> Offer | None:
    """What an ask may be approved for beyond one call; None where it may not."""
    bound = approval.bound
    if bound is None:
        return None
    limits = {limit.pointer: limit.at_most or "any" for limit in chosen.limits} if chosen else {}
    return Offer(
        widest=told(bound),
        bound=bound,
        fields=tuple(
            ScopeField(
                name=f"limit{place}",
                pointer=limit.pointer,
                at_most=limit.at_most,
                value=limits.get(limit.pointer, ""),
            )
            for place, limit in enumerate(bound.limits)
        ),
        chosen=chosen,
        calls=chosen.calls if chosen else min(_FEW_CALLS, bound.calls),
        minutes=chosen.minutes if chosen else min(_FEW_MINUTES, bound.minutes),
        resources=" ".join(chosen.resources) if chosen else "",
        stated="" if chosen is None else _stated(chosen),
        fixed=bool(approval.said),
    )


def from_address(approval: Approval, query: Mapping[str, str]) -> Choice | None:
    """The scope that the page is to show; None for one call. Raises `WiderThanAllowed`."""
    if approval.said:
        return approval.choice
    if approval.bound is None or not query.get("calls"):
        return None
    limits = [
        {"pointer": limit.pointer, "at_most": query.get(f"limit{place}", "").strip()}
        if limit.at_most
        else {"pointer": limit.pointer}
        for place, limit in enumerate(approval.bound.limits)
        if query.get(f"limit{place}", "").strip()
    ]
    body = {
        "calls": _number(query.get("calls", "")),
        "minutes": _number(query.get("minutes", "")),
        "limits": limits,
        "resources": query.get("resources", "").split(),
    }
    return _choice(canonical_json(body).decode())


def from_form(text: str) -> Choice | None:
    """The scope that the form says yes to; None for one call. Raises `WiderThanAllowed`."""
    return _choice(text) if text else None


def _choice(text: str) -> Choice:
    try:
        if len(text) > _LIMIT:
            raise msgspec.ValidationError("too long")
        return _BODY.decode(text).choice()
    except msgspec.DecodeError as misread:
        raise WiderThanAllowed(
            "this scope can't be read", next_step="choose it again on the page"
        ) from misread


def _stated(choice: Choice) -> str:
    return canonical_json(msgspec.to_builtins(choice)).decode()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0  # noqa: PLR2004 — digits
