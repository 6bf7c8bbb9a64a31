"""What an operator does: enter a tenant with its first administrator, suspend, resume, retire it.

MT-09: there is no way for an operator into a tenant: no token of the installation is good there, and nothing
of it is shown here. All that an operator can do is in this module, and on the tenant's own log by their name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from remit.app.services import Services, Tenancy
from remit.identity.errors import PasskeysNeedName
from remit.identity.principals import Environment, Kind
from remit.identity.registration import Registration
from remit.identity.tenant_service import TenantNotThere
from remit.identity.tenants import Tenant
from remit.kernel.canonical import JsonObject, b64u
from remit.kernel.errors import Unavailable
from remit.kernel.ids import KeyId, PrincipalId
from remit.kernel.tenancy import issuer_of, trust_domain_of


class TenantNotServed(Unavailable):
    """This process has not opened the tenant yet."""

    code = "tenant_not_served"


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """Somebody who administers a tenant from now on. `link` makes their passkey, once; empty where none can
    be made, because the issuer's host is an address.
    """

    user: PrincipalId
    key: KeyId | None
    link: str
    expires_at: datetime | None


class TenantDesk:
    """The operator's side of tenants; who may ask is for the door to say."""

    def __init__(self, home: Services, tenancy: Tenancy) -> None:
        self._home = home
        self._tenancy = tenancy

    async def all(self) -> Sequence[Tenant]:
        """Every further tenant."""
        return await self._tenancy.service.all()

    async def get(self, name: str) -> Tenant:
        """One of them. Raises `UnknownTenant`."""
        return await self._tenancy.service.get(name)

    def issuer(self, tenant: Tenant) -> str:
        """Its address in tokens and documents."""
        return issuer_of(self._home.ground.issuer, tenant.name)

    def trust_domain(self, tenant: Tenant) -> str:
        """Its SPIFFE trust domain."""
        return trust_domain_of(self._home.ground.settings.trust_domain, tenant.name)

    async def create(self, name: str, *, by: PrincipalId, at: datetime) -> Tenant:
        """Enter a tenant and serve it. Raises `MalformedTenant` or `TenantTaken`."""
        made = await self._tenancy.service.create(name, by=by, at=at)
        # CRASH: entered, not opened: whoever starts next, and every other node, finds it on the register.
        await self._tenancy.open.settle()
        return made

    async def appoint(
        self, name: str, address: str, jwk: JsonObject | None, *, by: PrincipalId, at: datetime
    ) -> Administrator:
        """Register an administrator there, with a device key and a link for a passkey.

        Always somebody new: nobody's account can be taken over from here. Raises `UnknownTenant`,
        `TenantNotThere`, `TenantNotServed`, and what registration raises.
        """
        tenant = await self.get(name)
        if not tenant.is_open:
            raise TenantNotThere(
                f"tenant `{tenant.name}` is {tenant.state}", next_step=f"remit tenant resume {tenant.name}"
            )
        house = self._tenancy.open.get(name)
        if house is None:
            raise TenantNotServed(f"tenant `{tenant.name}` is not opened here yet", next_step="try again")
        person = await house.identity.register(_administrator(address), by=by, at=at)
        held = None if jwk is None else await house.credentials.register(person.id, jwk, by=by, at=at)
        await house.identity.activate(person.id, by=by, at=at)
        link, expires_at = await _invite(house, person.id, by=by)
        return Administrator(
            user=person.id, key=None if held is None else held.id, link=link, expires_at=expires_at
        )

    async def suspend(self, name: str, *, by: PrincipalId, because: str, at: datetime) -> Tenant:
        """Stop serving it. Raises `UnknownTenant` or `TenantNotThere`."""
        moved = await self._tenancy.service.suspend(name, by=by, because=because, at=at)
        await self._tenancy.open.settle()
        return moved

    async def resume(self, name: str, *, by: PrincipalId, because: str, at: datetime) -> Tenant:
        """Serve it again. Raises `UnknownTenant` or `TenantNotThere`."""
        moved = await self._tenancy.service.resume(name, by=by, because=because, at=at)
        await self._tenancy.open.settle()
        return moved

    async def retire(self, name: str, *, by: PrincipalId, because: str, at: datetime) -> Tenant:
        """End it for good. Its log is signed once more, while there is a key that can.

        Raises `UnknownTenant` or `TenantNotThere`.
        """
        if (house := self._tenancy.open.get(name)) is not None:
            await house.heads.sign(at)
        moved = await self._tenancy.service.retire(name, by=by, because=because, at=at)
        await self._tenancy.open.settle()
        return moved


def _administrator(address: str) -> Registration:
    return Registration(
        kind=Kind.HUMAN,
        name=address,
        purpose="administers this tenant",
        environment=Environment.PRODUCTION,
        email=address if "@" in address else None,
        attributes=(("roles", "admin approver reader"),),
    )


async def _invite(house: Services, person: PrincipalId, *, by: PrincipalId) -> tuple[str, datetime | None]:
    lifetime = house.ground.settings.people.enrolment
    try:
        link, secret = await house.people.enrolments.issue(person, by=by, lifetime=lifetime)
    except PasskeysNeedName:
        return "", None  # the device key is their way in; the API's answer says that there is no link
    return f"{house.people.desk.home}/enrol#{b64u(secret.reveal())}", link.expires_at
