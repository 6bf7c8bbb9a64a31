"""Installations that forget what they must remember, or remember what has ended, for `composed(make=…)`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.authority.alive import TaskLife
from remit.authority.consent import GrantState
from remit.authority.tasks import TaskState
from remit.authority.tokens import TokenState
from remit.decision.facts.snapshot import Snapshot
from remit.identity.lifecycle import State
from remit.kernel.uow import Lane

Make = Callable[[Ground], Services]


class _Over:
    """What is not said here is as it was."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Unburnt(_Over):
    """F24, DP-03: every proof is a new one."""

    def burn(self, tenant: Any, proof: Any) -> bool:
        return True


class NoKeys(_Over):
    """F24: every idempotency key is a new one."""

    def take(self, principal: str, key: str, **what: Any) -> bool:
        return True

    def settle(self, principal: str, key: str, **what: Any) -> None:
        return

    def release(self, principal: str, key: str) -> None:
        return


class Immortal(_Over):
    """N2: nothing has ended."""

    def tombstone(self, ident: str) -> None:
        return None

    def state_of(self, principal: str) -> State:
        return State.ACTIVE

    def life_of(self, task: str) -> TaskLife:
        return TaskLife(state=TaskState.RUNNING, deadline=datetime.max.replace(tzinfo=UTC))

    def standing_of(self, grant: str) -> GrantState:
        return GrantState.GIVEN


class Unrevoked(_Over):
    """N2: a token that was put out is as good as new."""

    def get(self, ident: str) -> Any:
        found = self._inner.get(ident)
        return None if found is None else replace(found, state=TokenState.ACTIVE)


class Readers(_Over):
    """AU-14: everybody may read what anybody did."""

    def get(self, ident: str) -> Any:
        found = self._inner.get(ident)
        return None if found is None else replace(found, attributes=(("roles", "reader"),))


class _Forgetful(_Over):
    """A transaction in which some repositories are others."""

    def __init__(self, tx: Any, forgotten: dict[str, Callable[[Any], Any]]) -> None:
        super().__init__(tx)
        self._forgotten = forgotten

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        return self._forgotten[name](found) if name in self._forgotten else found


class ForgetfulWork:
    """Units of work over such transactions."""

    def __init__(self, inner: Any, **forgotten: Callable[[Any], Any]) -> None:
        self._inner, self._forgotten = inner, forgotten

    async def commit(self, work: Any, *, lane: Lane = Lane.NORMAL) -> Any:
        return await self._inner.commit(lambda tx: work(_Forgetful(tx, self._forgotten)), lane=lane)

    async def read(self, work: Any) -> Any:
        return await self._inner.read(lambda tx: work(_Forgetful(tx, self._forgotten)))


def forgetting(*, then: Make = build, **what: Callable[[Any], Any]) -> Make:
    """An installation whose units of work see these over their own repositories."""

    def make(ground: Ground) -> Services:
        work: Any = ForgetfulWork(ground.work, **what)
        return then(replace(ground, work=work))

    return make


class HeldSnapshots(_Over):
    """N2: a view of the present that outlives what it shows, under the present's own numbers."""

    _held: Snapshot | None = None

    def hold(self) -> None:
        """From now on nothing changes."""
        self._held = self._inner.current()

    def current(self) -> Snapshot:
        return self._shown(self._inner.current())

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        return self._shown(await self._inner.catch_up(at_least))

    def _shown(self, present: Snapshot) -> Snapshot:
        if self._held is None:
            return present
        return replace(self._held, revision=present.revision, epoch=present.epoch)


def holding(ground: Ground) -> Services:
    """An installation whose verifiers and decisions look at a held view."""
    snapshots: Any = HeldSnapshots(ground.snapshots)
    return build(replace(ground, snapshots=snapshots))
