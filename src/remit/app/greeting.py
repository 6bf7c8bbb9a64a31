"""The way in for the first administrator: a link to make a passkey, for as long as they have none."""

from typing import Final

from remit.app.bootstrap import ADMINISTRATOR, SYSTEM
from remit.app.services import Services
from remit.identity.errors import PasskeysNeedName
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import b64u

BY_COMMAND: Final = f"remit user enrol {ADMINISTRATOR}"


async def lacking_passkey(services: Services) -> Principal | None:
    """The administrator of the first start, if they live, have no passkey, and could have one here."""
    people = services.people
    try:
        people.desk.party  # noqa: B018 — an issuer without a name has no passkeys at all
    except PasskeysNeedName:
        return None
    found = await services.identity.page(kind=Kind.HUMAN, limit=1)
    person = found[0] if found else None
    if person is None or person.name != ADMINISTRATOR or person.state is not State.ACTIVE:
        return None
    return None if await people.signing.passkeys_of(person.id) else person


async def first_passkey_link(services: Services, person: Principal) -> str:
    """An enrolment link, to be shown to whoever started this on a terminal and kept nowhere.

    It gives nobody anything that the device key beside it, in the data directory, does not give already.
    """
    people = services.people
    lifetime = services.ground.settings.people.enrolment
    _, secret = await people.enrolments.issue(person.id, by=SYSTEM, lifetime=lifetime)
    return f"{people.desk.home}/enrol#{b64u(secret.reveal())}"
