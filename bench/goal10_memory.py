"""Goal 10: memory of a server process, idle and with a million tuples and a hundred thousand agents.

A real `remit up`. What is there by then is put into its database while it is stopped: rows as the server
itself writes them, in bulk, as a hundred thousand requests would only measure the requests. Resident memory
is the kernel's (`VmRSS`, and `VmHWM` for the highest it ever was).
"""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from bench.children import Child, child, free_port, python
from bench.figures import Goal, Report, cpu_seconds
from bench.goal3_relations import MODEL, World

from remit.identity.principals import Principal
from remit.kernel.ids import PrincipalId, mint_id, system_entropy
from remit.platform.settings.operator import ServerAddress, read_operator
from remit.surface.cli.client import Client

_SETTLED: Final = 3.0
"""Seconds after it is ready; the first jobs have run by then."""
_LONG: Final = 180.0


def measure(*, tiny: bool) -> Report:
    """Idle, then filled."""
    documents, agents = (2_000, 500) if tiny else (400_000, 100_000)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        data = folder / "data"
        data.mkdir(mode=0o700)
        words = python("-m", "remit", "up", "--no-demo", "--data", str(data), "--port", str(port))
        log = folder / "remit.log"
        with child(words, port=port, log=log, ready="/readyz") as started:
            time.sleep(_SETTLED)
            found["idle"] = _resident(started)
            with _admin(port, data) as admin:
                store, agent = _prepared(admin)
        found["tuples"], found["agents"] = _fill(data, store, agent, World(documents), agents)
        with child(words, port=port, log=log, ready="/readyz", seconds=_LONG) as started:
            found["start_s"], found["start_cpu_s"] = round(started.started, 1), cpu_seconds(started.pid)
            time.sleep(_SETTLED)
            found["filled"] = _resident(started)
            with _admin(port, data) as admin:
                _used(admin, World(documents))
            found["used"] = _resident(started)
    return _report(found, tiny=tiny)


def _admin(port: int, data: Path) -> Client:
    issuer = f"http://127.0.0.1:{port}"
    return Client(
        server=ServerAddress(url=issuer, issuer=issuer, pid=0), key=read_operator(data / "operator.key")
    )


def _prepared(admin: Client) -> tuple[str, str]:
    """A store with a model that decisions look into, and one agent as the server registers it."""
    store = str(admin.post("/relations/stores", {"name": "bench"})["id"])
    admin.put("/relations/enforced", {"store": store})
    admin.post("/relations/model", {"text": MODEL})
    stated = {"purpose": "office work", "environment": "production"}
    blueprint = admin.post("/blueprints", stated | {"name": "office"})["id"]
    admin.post(f"/blueprints/{blueprint}/activate")
    made = admin.post("/agents", stated | {"name": "agent-0", "blueprint": "office"})
    return store, str(made["id"])


def _fill(data: Path, store: str, agent: str, world: World, agents: int) -> tuple[int, int]:
    """The rows, beside those that are there."""
    (file,) = data.glob("*.db")
    connection = sqlite3.connect(file)
    try:
        tuples = connection.executemany(
            'INSERT INTO relation_tuple (tenant, store, object, relation, "user", condition, context, at)'
            " VALUES ('default', ?, ?, ?, ?, '', '', 0)",
            ((store, each.object, each.relation, each.user) for each in world.tuples()),
        ).rowcount
        columns = [row[1] for row in connection.execute("PRAGMA table_info(principal)")]
        row = connection.execute("SELECT * FROM principal WHERE id = ?", (agent,)).fetchone()
        marks = ", ".join("?" * len(columns))
        connection.executemany(
            f"INSERT INTO principal VALUES ({marks})",  # noqa: S608 - question marks
            _agents(dict(zip(columns, row, strict=True)), agents),
        )
        connection.commit()
    finally:
        connection.close()
    return tuples, agents


def _agents(row: dict[str, Any], count: int) -> Iterator[list[Any]]:
    """Copies of one, each with an id and a name of its own."""
    first, at = msgspec.json.decode(row["body"], type=Principal), datetime.now(UTC)
    for number in range(1, count + 1):
        ident, name = PrincipalId(mint_id("agt", at=at, entropy=system_entropy)), f"agent-{number}"
        body = msgspec.json.encode(replace(first, id=ident, name=name))
        yield list((row | {"id": ident, "name": name, "body": body.decode()}).values())


def _used(admin: Client, world: World) -> None:
    """Some questions of each kind, every answer looked at."""
    for asked, wanted in world.questions(40, 1):
        stated = {"user": asked.user, "relation": asked.relation, "object": asked.object}
        if admin.post("/relations/check", stated)["allowed"] is not wanted:
            raise RuntimeError(f"{stated} must be {wanted}")
    admin.get("/agents", limit=50)


def _resident(server: Child) -> dict[str, float]:
    lines = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii").splitlines()
    kept = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return {name: round(int(kibibytes) * 1024 / 1e6, 1) for name, kibibytes in kept.items()}


def _report(found: dict[str, Any], *, tiny: bool) -> Report:
    what = {
        "idle": "idle, empty",
        "filled": f"{found['tuples']:,} tuples, {found['agents']:,} agents, started",
        "used": "the same, after some questions",
    }
    limits = (("idle", 150), ("filled", 450), ("used", 450))
    return Report(
        name="goal10_memory",
        command="python -m bench --only goal10" + (" --tiny" if tiny else ""),
        sizes={"tuples": found["tuples"], "agents": found["agents"]},
        rows=[
            {
                "what": what[name],
                "resident MB": str(found[name]["VmRSS"]),
                "at most MB": str(found[name]["VmHWM"]),
            }
            for name, _ in limits
        ],
        figures=found,
        goals=[
            Goal(
                name=f"goal 10, {what[name]}", wanted=f"<= {limit} MB", found=f"{found[name]['VmRSS']} MB",
                met=None if tiny else found[name]["VmRSS"] <= limit,
            )
            for name, limit in limits
        ],
        notes=[
            f"ready {found['start_s']} s after its start with all of it, {found['start_cpu_s']:.1f} s of CPU",
        ],
    )  # fmt: skip
