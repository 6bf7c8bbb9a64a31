"""Changes the key-encryption key of an installation, and kills itself where it is told to."""

import asyncio
import os
import secrets
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from remit.app.ground import Ground, open_ground
from remit.app.rekey import rotate_kek
from remit.kernel.sealing import Kek
from remit.kernel.uow import Lane
from remit.platform.settings.model import Settings
from remit.platform.settings.operator import KEY_FILE, read_operator
from remit.platform.settings.options import HttpOptions
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork


class Mortal(SqlUnitOfWork):
    """Ends the process before, inside or after the commit that seals everything anew."""

    def __init__(self, inner: SqlUnitOfWork, point: str) -> None:
        self._inner = inner
        self._point = point

    async def commit(self, work: Any, *, lane: Lane = Lane.NORMAL) -> Any:
        meant = work.__qualname__.startswith("_reseal")
        if meant and self._point == "before":
            die()

        def watched(tx: SqlTransaction) -> Any:
            done = work(tx)
            if self._point == "inside":
                die()
            return done

        done = await self._inner.commit(watched if meant else work, lane=lane)
        if meant and self._point == "after":
            die()
        return done


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(folder: str, port: str, point: str) -> None:
    async def opener(settings: Settings, *, kek: Kek) -> Ground:
        ground = await open_ground(settings, kek=kek)
        return replace(ground, work=Mortal(ground.work, point))

    settings = Settings(data=Path(folder), http=HttpOptions(port=int(port)))
    operator = read_operator(settings.directory / KEY_FILE)
    await rotate_kek(settings, by=operator, entropy=secrets.token_bytes, opener=opener)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
