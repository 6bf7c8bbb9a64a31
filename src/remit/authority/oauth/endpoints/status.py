"""Status lists, published: whoever has a token may look up its bit, and learns nothing of any other."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.authority.alive import Dead, alive
from remit.authority.oauth.repository import OAuthTransaction, SigningKeys, TransactionView
from remit.authority.oauth.tokens.status_list import TTL, claims, pack
from remit.kernel.errors import NotFound
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType
from remit.kernel.uow import UnitOfWork

_NAME: Final = re.compile(r"[0-9]{10}-[0-9]{1,2}")
_PAUSE: Final = timedelta(seconds=1)
"""A list is made anew at most so often, whatever happens."""
_KEPT: Final = 64


class NoSuchList(NotFound):
    """No token of ours has a place in a list of this name."""

    code = "no_such_status_list"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    epoch: int
    at: datetime
    text: str


class StatusEndpoint:
    """Signs status list tokens; one is kept for its `ttl`, or until something was taken away."""

    def __init__(self, *, uow: UnitOfWork[OAuthTransaction], keys: SigningKeys, issuer: str) -> None:
        self._uow = uow
        self._keys = keys
        self._issuer = issuer
        self._made: dict[str, _Made] = {}  # OWNED BY: the event loop

    async def token(self, name: str, *, at: datetime, generation: int) -> str:
        """The status list token of that name. Raises `NoSuchList`."""
        if not _NAME.fullmatch(name):
            raise NoSuchList("no such status list")
        made = self._made.get(name)
        epoch = await self._uow.read(lambda tx: tx.epoch())
        if made is not None and (at - made.at < _PAUSE or (made.epoch == epoch and at - made.at < TTL)):
            return made.text
        return await self._make(name, at, generation)

    async def _make(self, name: str, at: datetime, generation: int) -> str:
        epoch, invalid = await self._uow.read(lambda tx: _invalid(tx, name, at, generation))
        signer = self._keys.signer(KeyClass.STATEMENT)
        said = claims(self._issuer, name, pack(invalid), at=at)
        text = jwt.issue(said, as_type=TokenType.STATUS_LIST, signer=signer)
        while len(self._made) >= _KEPT:
            self._made.pop(next(iter(self._made)))
        self._made[name] = _Made(epoch=epoch, at=at, text=text)
        return text


def _invalid(tx: OAuthTransaction, name: str, at: datetime, generation: int) -> tuple[int, list[int]]:
    """The places whose tokens are dead by the one question of all endpoints (N2), on one view."""
    view = TransactionView(tx)
    entries = tx.statuses.of(name)
    if not entries:
        raise NoSuchList("no such status list")
    dead = [
        entry.idx
        for entry in entries
        if entry.generation != generation or isinstance(alive(view, entry.lineage, at), Dead)
    ]
    return tx.epoch(), dead
