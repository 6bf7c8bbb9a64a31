"""The downstream credential of one permitted call, as the gateway sees it: shown once, kept nowhere."""

from dataclasses import dataclass
from typing import Protocol

from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision
from remit.identity.tools import Server
from remit.kernel.errors import RemitError
from remit.kernel.secret import Secret


class CredentialMissing(RemitError):
    """The call's own user and agent have no connection to what the server needs.

    `link` is where the person connects; empty where only an administrator can help.
    """

    code = "connection_required"
    kind = "forbidden"

    def __init__(self, hint: str, *, link: str) -> None:
        super().__init__(hint, next_step=link)
        self.link = link


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A credential as one header of one request. `holder` names whose it is without telling anything of it:
    what a server keeps for one holder is never another's.
    """

    holder: str
    header: str
    value: Secret


class Credentials(Protocol):
    """Finds and opens credentials; there is one for a call's own user and agent, or there is none."""

    async def ready(self, subject: VerifiedSubject, server: Server) -> None:
        """Raise `CredentialMissing` before anything is decided, so that no approval is spent for nothing."""

    async def open(self, decision: Decision) -> Shown:
        """Open it for a permitted call that is under way; on record before it is returned.

        Raises `CredentialMissing`, or another `RemitError` if it can't be had now.
        """


class NoVault:
    """`Credentials` of a gateway without a vault: nothing is ever opened."""

    async def ready(self, _subject: VerifiedSubject, server: Server) -> None:
        """There is nothing."""
        raise CredentialMissing(f"no credential for `{server.name}` can be had here", link="")

    async def open(self, _decision: Decision) -> Shown:
        """There is nothing."""
        raise CredentialMissing("no credential can be had here", link="")
