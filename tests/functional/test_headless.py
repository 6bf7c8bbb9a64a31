"""One program on a laptop, in a cluster and in pipelines; its person is asked behind the scenes."""

import asyncio
import json
import os
import re
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import remit_sdk
from remit.identity.federation.conditions import Condition
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.registering import StatedIssuer
from remit.kernel.ids import InstanceId, PrincipalId, UserId
from remit.platform.settings.operator import OperatorKey, write_operator
from remit_sdk.authority import Asked
from remit_sdk.identity import Identity
from remit_sdk.runtime import find
from remit_sdk.session import Session
from support.composed import populated
from support.federation import ForeignIssuer, bundle
from support.house import BOOKING, House, right
from support.issuers import KINDS
from support.visitors import Browser, field

PROGRAM = f"""
import json, remit_sdk, sys
room = {BOOKING!r} | dict(start=sys.argv[1] + "T14:00Z", end=sys.argv[1] + "T15:00Z")
with remit_sdk.connect(server="business", ask="user@company.com", message="room for Friday") as session:
    print(json.dumps([session.instance, session.task, session.call("rooms_book", **room)]))
"""
SDK = Path(remit_sdk.__file__).parents[1]
TOGETHER = (("laptop", "kubernetes", "github-actions"), ("gitlab", "spiffe"))
PROFILES = {
    "kubernetes": ProfileName.KUBERNETES,
    "github-actions": ProfileName.GITHUB_ACTIONS,
    "gitlab": ProfileName.GITLAB,
    "spiffe": ProfileName.SPIFFE,
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with populated(tmp_path / "data") as found:
        ceiling = found.ceiling(purpose="scheduling")
        admin = PrincipalId(found["admin"].id)
        agent = PrincipalId(found["calendar-bot"].agent)
        await found.services.consent.set_ceiling(agent, ceiling, by=admin, at=found.now())
        yield found


async def trusted(house: House, target: str) -> ForeignIssuer:
    """The platform, whose workload that the rule names is the calendar's agent."""
    kind, admin = KINDS[PROFILES[target]], PrincipalId(house["admin"].id)
    them, service = kind.make(target), house.services.federation.service
    keys = bundle(them) if target == "spiffe" else them.jwks()
    stated = StatedIssuer(name=target, profile=PROFILES[target], issuer=them.issuer, keys=keys)
    issuer = await service.trust(stated, by=admin, at=house.now())
    rule = [Condition(claim=name.replace("__", "."), pattern=said) for name, said in kind.rule.items()]
    await service.add_rule(
        issuer.id, PrincipalId(house["calendar-bot"].agent), rule, by=admin, at=house.now()
    )
    return them


def key_file(house: House, folder: Path) -> Path:
    """What `remit agent new` writes on a laptop."""
    bot, path = house["calendar-bot"], folder / "calendar-bot.key"
    key = OperatorKey(user=UserId(bot.id), kid=bot.kid, algorithm="Ed25519", private=bot.key.export())
    write_operator(path, key)
    return path


@contextmanager
def runner(house: House, them: ForeignIssuer) -> Iterator[str]:
    """The address at which a job of GitHub's asks for its token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (audience,) = parse_qs(urlsplit(self.path).query)["audience"]
            assert self.headers["authorization"] == "Bearer of the job"
            body = json.dumps({"value": them.assertion(house.now(), aud=audience)}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/?api-version=2.0"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def surroundings(house: House, target: str, folder: Path, github: str) -> dict[str, str]:
    """What the runtime puts around the program."""
    if target == "laptop":
        return {"REMIT_KEY": str(key_file(house, folder))}
    if target == "github-actions":
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": github, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of the job"}
    said = (await trusted(house, target)).assertion(house.now(), aud=house.issuer)
    if target == "gitlab":
        return {"REMIT_ID_TOKEN": said}
    path = folder / f"{target}-token"
    path.write_text(said)
    return {"REMIT_SVID_FILE" if target == "spiffe" else "REMIT_ASSERTION_FILE": str(path)}


async def run(house: House, environment: dict[str, str], day: int) -> Any:
    """The program in a process of its own, with nothing else around it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        f"2026-05-{day:02}",
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SDK),
            "REMIT_URL": house.issuer,
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def answer_all(person: Browser, count: int, said: str = "allow") -> None:
    """The person looks at their page, and answers whatever comes."""
    done: set[str] = set()
    async with asyncio.timeout(120):
        while len(done) < count:
            page = (await person.open("/me/asks")).text
            waiting = set(re.findall(r'href="(/me/asks/[0-9a-f]{64})"', page)) - done
            for path in waiting:
                shown = await person.open(path)
                assert "room for Friday" in shown.text, shown.text
                answer = await person.post(path, {"csrf": field(shown.text, "csrf"), "answer": said})
                assert answer.status_code == 200, answer.text
                done.add(path)
            await asyncio.sleep(0.2)


@pytest.mark.req("N36", "R44")
@pytest.mark.spec("CIBA Core", "10.1")
@pytest.mark.parametrize("targets", TOGETHER, ids=" ".join)
async def test_the_same_program_runs_wherever_it_is_put(
    house: House, tmp_path: Path, targets: tuple[str, ...]
) -> None:
    person = Browser(house)
    await person.enrol("user")
    them = await trusted(house, "github-actions") if "github-actions" in targets else None
    with runner(house, them or KINDS[ProfileName.GITHUB_ACTIONS].make("nobody")) as github:
        around = [await surroundings(house, target, tmp_path, github) for target in targets]
        answers = asyncio.create_task(answer_all(person, len(targets)))
        found = await asyncio.gather(*(run(house, each, day) for day, each in enumerate(around, 15)))
        await answers
    assert len({instance for instance, _, _ in found}) == len(targets)
    assert len(house.hits) == len(targets)
    decided = [each for each in await house.records("decision.action.decided") if each.effect == "permit"]
    assert {each.user for each in decided} == {house["user"].id}
    assert {each.task for each in decided} == {task for _, task, _ in found}
    assert {each.agent for each in decided} == {house["calendar-bot"].agent}
    await person.http.aclose()


def asking(house: House, folder: Path) -> Session:
    """A session of the laptop's, that does not wait between polls longer than it must."""
    identity = Identity(
        house.issuer, find({"REMIT_KEY": str(key_file(house, folder))}, audience=house.issuer)
    )
    return Session(identity, Asked(identity, "user@company.com", "room for Friday"), server="business")


@pytest.mark.req("R68", "R69")
async def test_nothing_is_had_while_it_waits_and_a_no_is_a_no(house: House, tmp_path: Path) -> None:
    person = Browser(house)
    await person.enrol("user")
    waiting = asyncio.create_task(asyncio.to_thread(asking(house, tmp_path).token))
    await answer_all(person, 1, "deny")
    with pytest.raises(remit_sdk.NotAllowed) as refused:
        await waiting
    assert refused.value.code == "access_denied"
    assert house.hits == []
    await person.http.aclose()


@pytest.mark.req("N36")
async def test_a_task_that_was_handed_over_is_used_and_its_denials_say_what_to_do(
    house: House, tmp_path: Path
) -> None:
    started = await house.task(
        "calendar-bot", limit=house.ceiling(right("business/rooms.book", "Room-401"), purpose="scheduling")
    )
    environment = {"REMIT_KEY": str(key_file(house, tmp_path)), "REMIT_URL": house.issuer}

    def work() -> tuple[Any, str]:
        with remit_sdk.connect(server="business", envelope=started.envelope, environ=environment) as session:
            assert session.instance == InstanceId(house["calendar-bot"].id)
            booked = session.call("rooms_book", **BOOKING)
            with pytest.raises(remit_sdk.Denied) as denied:
                session.call("rooms_book", **{**BOOKING, "room": "Room-402"})
            assert denied.value.denial["decision"].startswith("dec_")
            assert denied.value.remedy["action"] == "narrow_arguments"
            return booked, denied.value.code

    booked, code = await asyncio.to_thread(work)
    assert booked
    assert code == "resource_outside"
    assert len(house.hits) == 1
