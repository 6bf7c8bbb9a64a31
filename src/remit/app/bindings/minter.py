"""The decision's capabilities: the authority wing's `mint`, with our key and our names."""

from datetime import datetime, timedelta
from functools import lru_cache

from remit.app.keys import KeyHolder
from remit.authority.capability import Minted, Order, mint
from remit.decision.call.request import ActionRequest
from remit.identity.principals import Kind
from remit.identity.spiffe import spiffe_id
from remit.kernel.building import builder
from remit.kernel.ids import DecisionId, Entropy
from remit.kernel.jose.keys import KeyClass

_order = builder(Order)
_name_of = lru_cache(maxsize=4096)(spiffe_id)
"""Pure; an instance has one name for all its calls."""


class CapabilityPress:
    """`CapabilityMinter`: one capability for exactly the call that was permitted."""

    def __init__(
        self, *, keys: KeyHolder, issuer: str, trust_domain: str, lifetime: timedelta, entropy: Entropy
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._trust_domain = trust_domain
        self._lifetime = lifetime
        self._entropy = entropy

    def mint(self, request: ActionRequest, *, decision: DecisionId, at: datetime) -> Minted:
        """Sign it for the instance, the tool's digest and the digest of the raw argument bytes."""
        call, subject = request.call, request.call.subject
        order = _order(
            tenant=subject.tenant,
            audience=f"{self._issuer}/mcp/{request.server.name}",
            subject=self._subject(request),
            instance=subject.instance,
            action=call.action,
            resource_type=call.resource.type,
            resource=call.resource.id,
            arguments=call.arguments_digest,
            tool=call.tool.digest if call.tool else "",
            decision=decision,
            task=subject.task,
            envelope=subject.envelope,
            key=subject.key,
        )
        signer = self._keys.signer(KeyClass.CAPABILITY)
        return mint(
            order, issuer=self._issuer, signer=signer, lifetime=self._lifetime, at=at, entropy=self._entropy
        )

    def _subject(self, request: ActionRequest) -> str:
        """`sub` as in its tokens: an instance's SPIFFE ID, a workload's own id."""
        instance = request.call.subject.instance
        if request.instance.kind is not Kind.INSTANCE:
            return instance
        return _name_of(self._trust_domain, request.principal.name, instance)
