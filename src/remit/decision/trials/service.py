"""Scenarios on an installation: its agents, people and tools, its policy or a draft; nothing is recorded."""

import asyncio

from remit.decision.facts.snapshot import Snapshots
from remit.decision.policy.admission import admit, parse, version_of
from remit.decision.policy.bundle import Bundle
from remit.decision.trials.fixtures import Cast, cast_of, cast_on, together
from remit.decision.trials.reading import read_book
from remit.decision.trials.running import Reader, Result, run


class TrialService:
    """Runs books of scenarios on one tenant's directory."""

    def __init__(self, *, snapshots: Snapshots, reader: Reader) -> None:
        self._snapshots = snapshots
        self._reader = reader

    async def test(self, book_text: str, *, text: str | None = None) -> tuple[Result, ...]:
        """Judge a book by the policy in force, or by a draft; raises `BookRefused`, `PolicyRefused`."""
        snapshot = await self._snapshots.catch_up()
        book, lines = read_book(book_text)
        cast = together(cast_on(snapshot), cast_of(book.given))
        bundle = snapshot.bundle if text is None else await asyncio.to_thread(bundle_of, text, cast)
        return await asyncio.to_thread(run, book, lines, bundle, cast, self._reader)


def bundle_of(text: str, cast: Cast) -> Bundle:
    """A text admitted against what there is; raises `PolicyRefused`."""
    rules, _ = parse(text)
    return admit(text, version=version_of(text, 0), schema=cast.schema(rules.values()))
