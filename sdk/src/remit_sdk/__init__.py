"""An agent's side of Remit: the same program on a laptop, in a cluster and in a pipeline."""

from remit_sdk.cases import Case, Told
from remit_sdk.connection import connect
from remit_sdk.errors import Denied, NoProof, NotAllowed, Refused, RemitError, Unreachable
from remit_sdk.journal import Journal
from remit_sdk.pep import EnforcementPoint, Grace, Permit
from remit_sdk.session import Session
from remit_sdk.usage import Usage

__all__ = [
    "Case",
    "Denied",
    "EnforcementPoint",
    "Grace",
    "Journal",
    "NoProof",
    "NotAllowed",
    "Permit",
    "Refused",
    "RemitError",
    "Session",
    "Told",
    "Unreachable",
    "Usage",
    "connect",
]
