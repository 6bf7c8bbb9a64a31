"""Further tenants of an open installation, each seen as a house of its own."""

from dataclasses import replace

from remit.app.run import settled
from remit.identity.tenants import Tenant
from remit.kernel.ids import PrincipalId
from remit.kernel.tenancy import check_tenant
from support.house import House

OPERATOR = PrincipalId("usr_operator")


async def opened(house: House, name: str) -> House:
    """A new tenant of the installation, in order and served."""
    await entered(house, name)
    return await served(house, name)


async def entered(house: House, name: str) -> Tenant:
    """A new tenant on the register."""
    tenancy = house.services.tenancy
    assert tenancy is not None
    return await tenancy.service.create(check_tenant(name), by=OPERATOR, at=house.now())


async def served(house: House, name: str) -> House:
    """The tenant as it is served; its people are its own."""
    tenancy = house.services.tenancy
    assert tenancy is not None
    await tenancy.open.settle()
    services = tenancy.open.get(name)
    assert services is not None
    await settled(services)
    return replace(house, services=services, parties={}, upstream=None)
