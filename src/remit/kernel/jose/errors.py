"""What goes wrong with tokens, proofs and keys.

Every rejected token has the same public sentence: which check failed is for the record, not for the sender.
"""

from remit.kernel.errors import Invalid, RemitError, Unavailable


class TokenRejected(RemitError):
    """A token failed one numbered step of its verification.

    Steps: 1 form, 2 header, 3 key and algorithm, 4 type, 5 signature, 6 claims, 7 replay, 8 alive.
    `reason` is stable and meant for the record; neither it nor `debug` is ever sent.
    """

    code = "token_rejected"
    kind = "unauthenticated"

    def __init__(self, step: int, reason: str, *, debug: str = "") -> None:
        super().__init__("token is not acceptable", debug=debug)
        self.step = step
        self.reason = reason


class ProofRejected(RemitError):
    """A DPoP proof failed one numbered step of `dpop.verify_proof`."""

    code = "invalid_dpop_proof"
    kind = "unauthenticated"
    sentence = "DPoP proof is not acceptable"

    def __init__(self, step: int, reason: str, *, debug: str = "") -> None:
        super().__init__(self.sentence, debug=debug)
        self.step = step
        self.reason = reason


class NonceRequired(ProofRejected):
    """The proof holds no nonce of ours, or an old one: the answer carries a new one (RFC 9449 §8)."""

    code = "use_dpop_nonce"
    sentence = "DPoP proof must hold the nonce that this server gave last"


class KeyRefused(Invalid):
    """A JWK is private, symmetric, weak, off its curve, or made for something else than verifying."""

    code = "key_refused"


class KeyMisused(RemitError):
    """A key of one class was about to sign for another; our own mistake, stopped before it signs."""

    code = "key_misused"


class NoSigningKey(Unavailable):
    """There is no active key of the class: nothing of it can be signed until one is published."""

    code = "no_signing_key"
