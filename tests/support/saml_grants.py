"""An authorization server that takes SAML assertions as grants, over a real store."""

from dataclasses import replace
from typing import Any

import httpx2

from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.registering import StatedIssuer
from remit.identity.federation.trust import TrustedIssuer
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.federation import OURS, Federated
from support.oauth import OPTIONS
from support.saml import SamlProvider

SAML2_BEARER = "urn:ietf:params:oauth:grant-type:saml2-bearer"


class SamlFederated(Federated):
    """An authorization server that speaks SAML and trusts one provider, with one rule."""

    def __init__(self, uow: SqlUnitOfWork, **parts: Any) -> None:
        super().__init__(
            uow, options=replace(OPTIONS, workloads=True, saml=True), ours=replace(OURS, saml=True), **parts
        )

    async def believe(self, provider: SamlProvider, *, name: str = "them", **stated: Any) -> TrustedIssuer:
        """Trust a provider by its metadata."""
        if "address" not in stated:
            stated.setdefault("keys", provider.metadata())
        return await self.service.trust(
            StatedIssuer(name=name, profile=ProfileName.SAML, issuer=provider.entity, **stated),
            by=self.ana,
            at=self.now,
        )

    async def saml(
        self, assertion: str, *, key: Any = None, proof: Any = None, **more: Any
    ) -> httpx2.Response:
        """Ask with the grant `saml2-bearer`."""
        form = {"grant_type": SAML2_BEARER, "assertion": assertion, **more}
        return await self._post(form, key, proof, ())


async def governed(uow: SqlUnitOfWork, **parts: Any) -> tuple[SamlFederated, SamlProvider]:
    """One provider, one rule for calendar-bot by its subject."""
    here, them = SamlFederated(uow, **parts), SamlProvider()
    await here.populate()
    await here.rule(await here.believe(them), sub=them.subject)
    return here, them
