"""May this call be made with what is in its agent's context? Labels that bind, whatever policy says.

`no-export` and `summarize-only` are obligations that a policy put on the data when it was read. They hold in
every later call of the task, by whichever agent of its chain.
"""

from typing import Final

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, NearestMiss, Reason, Stage
from remit.decision.call.actions import RETRIEVE
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot
from remit.decision.sources.known import NO_EXPORT, SUMMARIZE_ONLY, Known

RULE: Final = "lineage"
_SHOWN: Final = 3


def lineage_stage(request: ActionRequest, snapshot: Snapshot) -> Finding | None:
    """What the data in the context forbids; None where nothing of it is looked at."""
    if request.call.resource.tags is None and _is_document(request):
        return _denied(reason(Code.DOCUMENT_UNTOLD, rule=RULE), NearestMiss(never=True, rule=RULE))
    known = request.known
    if known is None:
        return None
    against = _unclear(known, snapshot)
    against = _bound(known) if against is None else against
    return _nothing_against(known) if against is None else against


def _is_document(request: ActionRequest) -> bool:
    return request.tool is None and request.call.action == f"{request.server.name}/{RETRIEVE}"


def _unclear(known: Known, snapshot: Snapshot) -> Finding | None:
    """A tag of which too many values were read, where a policy looks at one of them."""
    looked = snapshot.bundle.lineage or frozenset()
    for name in sorted(known.full):
        if any(text.startswith(f"{name}=") for text in looked):
            said = reason(Code.LINEAGE_FULL, rule=RULE, tag=name)
            return _denied(said, NearestMiss(never=True, rule=RULE))
    return None


def _bound(known: Known) -> Finding | None:
    if known.outward:
        for label in (NO_EXPORT, SUMMARIZE_ONLY):
            if label in known.labels:
                argument, value = known.outward[0]
                said = reason(
                    Code.LINEAGE_EXPORT,
                    rule=RULE,
                    argument=argument,
                    value=value,
                    source=known.labels[label],
                    label=label,
                )
                return _denied(said, *_without(known.outward))
    if known.copied:
        said = reason(
            Code.LINEAGE_COPY,
            rule=RULE,
            argument=known.copied[0],
            source=known.labels.get(SUMMARIZE_ONLY, ""),
        )
        return _denied(said, *_without(tuple((each, "") for each in known.copied)))
    return None


def _without(arguments: tuple[tuple[str, str], ...]) -> tuple[NearestMiss, ...]:
    pointers = list(dict.fromkeys(pointer for pointer, _ in arguments))[:_SHOWN]
    return tuple(NearestMiss(argument=pointer, absent=True, rule=RULE) for pointer in pointers)


def _nothing_against(known: Known) -> Finding:
    detail = (RULE, *sorted(known.labels)) if known.labels else (RULE,)
    return Finding(stage=Stage.HISTORY, effect=Effect.PERMIT, detail=detail[:32])


def _denied(said: Reason, *misses: NearestMiss) -> Finding:
    return Finding(stage=Stage.HISTORY, effect=Effect.DENY, reasons=(said,), nearest_miss=misses)
