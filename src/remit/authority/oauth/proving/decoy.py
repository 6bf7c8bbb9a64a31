"""Work that a refusal has saved is done all the same: how long it took tells nobody whom we know (OA-22)."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.jwt import Unproven

_KEYS: Final[Mapping[Algorithm, Mapping[str, str]]] = {
    # The public keys of RFC 8037 appendix A.2 and RFC 7515 appendix A.3.1: no record of ours holds them.
    Algorithm.ED25519: {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
    Algorithm.ES256: {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
}
_NAMED: Final[Mapping[str, Algorithm]] = {
    "Ed25519": Algorithm.ED25519,
    "EdDSA": Algorithm.ED25519,
    "ES256": Algorithm.ES256,
}


def spend(shown: Unproven) -> None:
    """Verify the signature with a key that is nobody's, as if there were a client whose it could be.

    SAFETY: what comes of it is thrown away; whoever calls this has refused already.
    """
    algorithm = _NAMED.get(shown.header.alg)
    if algorithm is not None:
        _key(algorithm).verify(shown.parts.signing_input, shown.parts.signature)


@cache
def _key(algorithm: Algorithm) -> PublicKey:
    return parse_jwk(dict(_KEYS[algorithm]), algorithm=algorithm)
