"""A run for several people: the rules are asked for each of them, and what all of them answer holds (R36).

The strongest effect wins, as over stages: who is refused refuses for all. Duties are united, so that what
comes back is redacted for whoever may see least. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from msgspec import structs

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Disclose, Effect, NearestMiss, Reason
from remit.decision.answer.terms import Terms
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.identity.principals import Principal
from remit.kernel.ids import UserId

_SECRECY: Final = (Disclose.FULL, Disclose.REMEDY, Disclose.CODE)
_SELF: Final = frozenset({"self", "requester"})


def as_each(request: ActionRequest) -> Iterable[ActionRequest]:
    """The request as each person's own, the one who started the run first.

    SAFETY: how that one signed in says nothing of the others, so theirs is not known.
    """
    yield replace(request, companions=())
    for person in request.companions:
        subject = replace(request.call.subject, user=UserId(person.id), acr="", signed_in_at=None)
        yield replace(request, user=person, companions=(), call=replace(request.call, subject=subject))


def of_all(request: ActionRequest, found: Sequence[Finding]) -> Finding:
    """One finding of those of each person, in the order of `as_each`."""
    said = [_spoken_for(person, each) for person, each in zip(request.companions, found[1:], strict=True)]
    mine = [found[0], *said]
    refused = next((each for each in mine if each.effect is Effect.DENY), None)
    if refused is not None:
        return refused
    if len({each.approvers for each in mine if each.effect is Effect.ASK}) > 1:
        return _denied(reason(Code.APPROVERS_DIFFER))
    effect = max((each.effect for each in mine), key=lambda each: each.strength)
    asking = [each for each in mine if each.effect is effect]
    reasons = dict.fromkeys(chain.from_iterable(each.reasons for each in mine))
    return Finding(
        stage=found[0].stage,
        effect=effect,
        reasons=tuple(sorted(reasons, key=lambda each: -each.effect.strength)),
        nearest_miss=tuple(dict.fromkeys(chain.from_iterable(each.nearest_miss for each in asking))),
        obligations=tuple(dict.fromkeys(chain.from_iterable(each.obligations for each in mine))),
        approvers=asking[0].approvers,
        # A yes for several people is for this call alone: its terms are those of who started the run.
        terms=_once(asking[0].terms),
        step_up=asking[0].step_up,
        observed=tuple(dict.fromkeys(chain.from_iterable(each.observed for each in mine))),
        disclose=max((each.disclose for each in mine), key=_SECRECY.index),
        detail=tuple(dict.fromkeys(chain.from_iterable(each.detail for each in mine))),
    )


def _once(terms: Terms | None) -> Terms | None:
    return None if terms is None else structs.replace(terms, bound=None)


def _spoken_for(person: Principal, found: Finding) -> Finding:
    """The finding with the person named in it; what they would have to answer themselves is refused.

    A question to `self` is put to whoever started the run. Nobody else can answer it for this person, who
    was never asked to sign in to it.
    """
    if found.effect is Effect.STEP_UP or (found.effect is Effect.ASK and found.approvers in _SELF):
        return _denied(reason(Code.COMPANION_ABSENT, rule=found.reasons[0].rule, person=person.name))
    named = tuple(_named(person, said) for said in found.reasons)
    return structs.replace(found, reasons=named)


def _named(person: Principal, said: Reason) -> Reason:
    if said.effect is Effect.PERMIT:
        return said
    return structs.replace(said, sentence=f"for {person.name}: {said.sentence}")


def _denied(said: Reason) -> Finding:
    return Finding(
        stage=said.stage,
        effect=Effect.DENY,
        reasons=(said,),
        nearest_miss=(NearestMiss(never=True, rule=said.rule),),
    )
