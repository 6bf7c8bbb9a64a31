"""The past as a replay rebuilds it, call by call, oldest first: as it was, and as the candidate has it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Stage
from remit.decision.budget.cost import Settlement
from remit.decision.call.request import ActionRequest
from remit.decision.facts.snapshot import Snapshot
from remit.decision.history.past import NOTHING, VALUES_LIMIT, Footprint, Memory, Question, Unmemorable
from remit.decision.policy.bundle import Bundle
from remit.decision.replaying.recorded import RecordedDecision, RecordedFinding
from remit.decision.stages.history import recalled, recollect
from remit.decision.stages.provenance import RULE as PROVENANCE

ROWS: Final = 200_000
"""Parts of marks after which those that are over are swept out."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class RebuiltMarks:
    """A `HistoryStore` in memory; it counts as the one in the database does."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[tuple[str, int], tuple[int, datetime, datetime]]] = {}
        self._count = 0
        self._sweep_at = ROWS

    def hold(self, places: Iterable[tuple[str, str]], at: datetime) -> None:
        """Nobody else is here."""

    def look(self, question: Question) -> Memory:
        """What is remembered; raises `Unmemorable` for too many values."""
        rows = self._rows.get((question.mark, question.holder), {})
        found = [
            (value, times, last)
            for (value, _), (times, last, _) in rows.items()
            if times and last > question.since
        ]
        if not found:
            return NOTHING
        values = frozenset(value for value, _, _ in found)
        if len(values) > VALUES_LIMIT:
            raise Unmemorable(f"`{question.mark}` has more than {VALUES_LIMIT} different values")
        last = max(last for _, _, last in found)
        return Memory(times=sum(times for _, times, _ in found), values=values, last=last)

    def leave(self, footprint: Footprint) -> None:
        """Remember once more."""
        rows = self._rows.setdefault((footprint.mark, footprint.holder), {})
        place = (footprint.value, footprint.bucket)
        until = footprint.until or _NEVER
        known = rows.get(place)
        if known is None:
            self._count += 1
            rows[place] = (1, footprint.at, until)
        else:
            times, last, end = known
            rows[place] = (times + 1, max(last, footprint.at), max(end, until))
        if self._count >= self._sweep_at:
            self.forget(footprint.at, self._count)

    def unleave(self, footprint: Footprint) -> None:
        """Take one time back."""
        rows = self._rows.get((footprint.mark, footprint.holder), {})
        place = (footprint.value, footprint.bucket)
        times, last, until = rows.get(place, (0, footprint.at, footprint.at))
        if times:
            rows[place] = (times - 1, last, until)

    def forget(self, at: datetime, limit: int) -> int:
        """Remove what is over; how many rows went."""
        gone = 0
        for holder, rows in list(self._rows.items()):
            over = [place for place, (_, _, until) in rows.items() if until <= at][: limit - gone]
            for place in over:
                del rows[place]
            gone += len(over)
            if not rows:
                del self._rows[holder]
        self._count -= gone
        self._sweep_at = max(ROWS, 2 * self._count)
        return gone


class Pasts:
    """Both pasts of one replay. Decisions MUST come in the order in which they were made."""

    def __init__(self, snapshot: Snapshot, candidate: Bundle) -> None:
        self._was = RebuiltMarks()
        self._would = RebuiltMarks()
        self._candidate = replace(snapshot, bundle=candidate, rollout=None)
        self._snapshot = snapshot
        self._views: dict[int, Snapshot] = {}

    def then(self, request: ActionRequest, bundle: Bundle) -> Finding | None:
        """What the rules about the past of that version say, on the past as it was."""
        if bundle.history is None:
            return None
        view = self._views.get(id(bundle))
        if view is None or view.bundle is not bundle:
            view = self._views[id(bundle)] = replace(self._snapshot, bundle=bundle, rollout=None)
        found = recollect(request, view)
        return None if found is None else recalled(self._was, found, hold=False)

    def now(self, request: ActionRequest, *, carried: bool, policy: Effect, others: Effect) -> Finding | None:
        """What those of the candidate say, on its own past; the call leaves its marks if it goes through.

        A call that was carried out then goes through unless the candidate denies it: whether somebody would
        say yes to a question that was never asked is not known.
        """
        found = recollect(request, self._candidate)
        if found is None:
            return None
        said = recalled(self._would, found, hold=False)
        effect = max(policy, others, said.effect, key=lambda each: each.strength)
        if effect is Effect.PERMIT or (carried and effect is not Effect.DENY):
            for footprint in found.footprints:
                self._would.leave(footprint)
        return said

    def passed(self, stored: RecordedDecision, *, lost: bool) -> None:
        """Go on: the decision left what is on record; one that is lost left that for the candidate too."""
        if stored.outcome is Settlement.UNUSED:
            return
        for footprint in stored.footprints:
            self._was.leave(footprint)
            if lost:
                self._would.leave(footprint)


def recorded_past(found: Iterable[RecordedFinding]) -> RecordedFinding | None:
    """What the rules about the past said then; None where none were asked."""
    return next((each for each in found if of_the_past(each)), None)


def of_the_past(found: RecordedFinding) -> bool:
    """Whether a finding is theirs: provenance speaks in the same stage."""
    return found.stage is Stage.HISTORY and found.detail != (PROVENANCE,)
