"""New keys made on this machine: the private half goes into a file here, the public half to the server."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from remit.kernel.canonical import JsonObject
from remit.kernel.ids import KeyId, UserId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from remit.platform.settings.operator import OperatorKey, write_operator


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that only this process has."""

    private: PrivateKey

    @property
    def jwk(self) -> JsonObject:
        """The public half (RFC 7517)."""
        return self.private.public.jwk()

    def write(self, path: Path, *, principal: str, kid: str) -> None:
        """Keep it, readable by its owner alone, in the form of `operator.key`."""
        write_operator(
            path,
            OperatorKey(
                user=UserId(principal),
                kid=KeyId(kid),
                algorithm=self.private.public.algorithm,
                private=self.private.export(),
            ),
        )


def make_key() -> NewKey:
    """Make an Ed25519 key."""
    return NewKey(private=PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes))
