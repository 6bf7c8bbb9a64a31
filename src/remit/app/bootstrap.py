"""The first start: a key-encryption key, and one administrator whose device key lies in the data directory.

Whoever can read that directory owns the installation already (the store and the key-encryption key are in
it), so the key adds no power. It is made once, while nobody exists; afterwards there is no way in but a key.
"""

import os
import resource
import shutil
from datetime import datetime

from remit.app.kek import held_kek
from remit.app.services import Services
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.registration import Registration
from remit.identity.tenants import OPERATOR
from remit.kernel.errors import Conflict
from remit.kernel.ids import Entropy, PrincipalId, UserId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.sealing import Kek
from remit.platform.settings.model import Settings
from remit.platform.settings.operator import KEY_FILE, OperatorKey, write_operator
from remit.platform.storage.kek import make_kek

SYSTEM = PrincipalId("system")
DEMO_MARK = "made-by-demo"
"""File that tells a data directory of the demonstration from one that somebody needs."""
ADMINISTRATOR = "admin@localhost"


class NotADemonstration(Conflict):
    """`--fresh` throws a data directory away, and only one that a demonstration has made."""

    code = "not_a_demonstration"


def prepare_directory(settings: Settings) -> None:
    """Make the data directory, for its owner alone; keep core dumps from holding keys (KM-03)."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    new = not settings.directory.exists()
    settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.demo and new:
        (settings.directory / DEMO_MARK).touch()


def start_over(settings: Settings) -> None:
    """Throw away what an earlier demonstration left; raises `NotADemonstration` for anything else."""
    if not settings.directory.exists():
        return
    if not (settings.directory / DEMO_MARK).exists():
        raise NotADemonstration(
            f"`{settings.directory}` was not made by a demonstration, so it is not thrown away",
            next_step=f"name another directory with --data, or remove it yourself: {settings.directory}",
        )
    shutil.rmtree(settings.directory)


def open_kek(settings: Settings, *, entropy: Entropy) -> Kek:
    """Get the key-encryption key; make one only for a directory in which nothing was ever stored.

    INVARIANT: an existing store is never given a new key: `refuse_unsafe` ran before, and says so.
    """
    path = settings.kek_file
    if settings.keys.kek_command:
        return held_kek(settings)
    if not path.exists() and not (settings.directory / "remit.db").exists() and not settings.store.url:
        return make_kek(path, entropy=entropy)
    return held_kek(settings)


async def first_administrator(services: Services, *, at: datetime) -> bool:
    """Register the administrator of a fresh installation, and keep the device key; False if there is one.

    CRASH: the key file is written last; a start that finds the administrator without a file registers a
    further key for the same person, and the one that nobody kept is never used.
    """
    path = services.ground.settings.directory / KEY_FILE
    people = await services.identity.page(kind=Kind.HUMAN, limit=2)
    if path.exists() or any(person.name != ADMINISTRATOR for person in people):
        return False
    person = people[0] if people else await _register(services, at=at)
    private = PrivateKey.generate(Algorithm.ED25519, services.ground.entropy)
    credential = await services.credentials.register(person.id, private.public.jwk(), by=SYSTEM, at=at)
    if person.state is State.DRAFT:
        await services.identity.activate(person.id, by=SYSTEM, at=at)
    key = OperatorKey(
        user=UserId(person.id), kid=credential.id, algorithm=private.algorithm, private=private.export()
    )
    write_operator(path, key)
    return True


async def _register(services: Services, *, at: datetime) -> Principal:
    stated = Registration(
        kind=Kind.HUMAN,
        name=ADMINISTRATOR,
        purpose="administers this installation",
        environment=Environment.PRODUCTION,
        email=ADMINISTRATOR,
        attributes=(("roles", f"admin {OPERATOR} approver reader"),),
    )
    return await services.identity.register(stated, by=SYSTEM, at=at)
