"""Opaque secrets that we hand out: 256 random bits with a name in front, kept here by digest alone.

The name lets people and secret scanners see what was found, and lets an endpoint tell a token from a JWT.
"""

import hashlib
import hmac
import re
from typing import Final

from remit.kernel.canonical import Digest, b64u, sha256
from remit.kernel.ids import Entropy
from remit.kernel.secret import Secret

CODE: Final = "rmt_ac_"
REFRESH: Final = "rmt_rt_"
REQUEST: Final = "rmt_ar_"
DEVICE: Final = "rmt_dc_"
BACKCHANNEL: Final = "rmt_br_"
SIZE: Final = 32
_FORM: Final = re.compile(r"rmt_[a-z]{2}_[A-Za-z0-9_-]{43}")
_SUCCESSOR: Final = b"remit/refresh-successor/v1\0"


def make(name: str, entropy: Entropy) -> str:
    """Make one that nobody can guess."""
    return name + b64u(entropy(SIZE))


def is_one(name: str, text: str) -> bool:
    """Whether a text has the form of one of that name; whether we made it only its digest tells."""
    return text.startswith(name) and _FORM.fullmatch(text) is not None


def digest_of(text: str) -> Digest:
    """What is kept of it. SAFETY: 256 random bits need no salt and no slow hash."""
    return sha256(text.encode("ascii", "replace"))


def successor_of(text: str, key: Secret) -> str:
    """The refresh token that follows another: whoever shows that one gets this one, and nobody can guess it.

    Nothing but digests is kept, and still a client whose answer was lost can be given the same again.
    """
    made = hmac.new(key.reveal(), _SUCCESSOR + text.encode("ascii"), hashlib.sha256)
    return REFRESH + b64u(made.digest())
