"""From what is wanted and what is there to the steps between: create, change, leave."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from remit.surface.cli.desired import (
    Desired,
    Entry,
    WantedAgent,
    WantedServer,
    WantedTool,
    WantedUser,
)
from remit.surface.cli.devicekey import make_key
from remit.surface.cli.failures import Misused, Refused
from remit.surface.cli.policy import read_policies
from remit.surface.web.schemas.rights import CeilingBody, ceiling_of, ceiling_view
from remit.surface.web.schemas.tools import MappingBody

_NOT_FOUND = 404


class Server(Protocol):
    """What is asked of the API."""

    def get(self, path: str, **query: Any) -> Any:
        """Read."""

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Do."""

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing: new, changed or unchanged; `run` makes it so."""

    mark: Literal["+", "~", "="]
    noun: str
    name: str
    detail: str = ""
    run: Callable[[], object] | None = None


def make_plan(desired: Desired, server: Server, *, folder: Path) -> Iterator[Step]:
    """Steps in the order in which they must be taken; each is planned after the one before it ran."""
    for user in desired.users:
        yield from _user(user, server, folder)
    for blueprint in desired.blueprints:
        yield from _entry("blueprint", blueprint, server, lambda: None)
    for agent in desired.agents:
        yield from _entry(
            "agent", agent, server, _keyed(agent, server, folder), {"blueprint": agent.blueprint}
        )
    for wanted in desired.servers:
        yield from _server(wanted, server)
    if desired.policies:
        yield _policy([folder / name for name in desired.policies], server)


def _user(wanted: WantedUser, server: Server, folder: Path) -> Iterator[Step]:
    attributes = {"roles": " ".join(wanted.roles), "teams": " ".join(wanted.teams)}
    stated = {name: value for name, value in attributes.items() if value}
    present = _find(server, f"/users/{wanted.name}")
    if present is None:
        yield Step(
            mark="+", noun="user", name=wanted.name, run=lambda: _new_user(wanted, stated, server, folder)
        )
    elif present.get("attributes", {}) != stated:
        yield Step(
            mark="~",
            noun="user",
            name=wanted.name,
            detail="roles or teams",
            run=lambda: server.put(f"/users/{present['id']}", {"attributes": stated}),
        )
    else:
        yield Step(mark="=", noun="user", name=wanted.name)


def _new_user(wanted: WantedUser, attributes: dict[str, str], server: Server, folder: Path) -> None:
    body = {"name": wanted.name, "attributes": attributes}
    email = wanted.email or (wanted.name if "@" in wanted.name else None)
    made = server.post("/users", body | ({"email": email} if email else {}))
    if wanted.key is not None:
        key = make_key()
        path = _fresh(folder / wanted.key)
        registered = server.post(f"/users/{made['id']}/keys", {"jwk": key.jwk})
        key.write(path, principal=made["id"], kid=registered["id"])
        server.post(f"/users/{made['id']}/activate")


def _keyed(wanted: WantedAgent, server: Server, folder: Path) -> Callable[[], object]:
    """Give a new agent its first instance, if the file says where the key goes."""

    def run() -> None:
        if wanted.key is None:
            return
        key, path = make_key(), _fresh(folder / wanted.key)
        made = server.post(f"/agents/{wanted.name}/instances", {"jwk": key.jwk})
        key.write(path, principal=made["instance"]["id"], kid=made["key"]["id"])
        server.post(f"/agents/{wanted.name}/activate")

    return run


def _entry(
    noun: str,
    wanted: Entry,
    server: Server,
    after: Callable[[], object],
    more: Mapping[str, Any] | None = None,
) -> Iterator[Step]:
    base = f"/{noun}s"
    present = _find(server, f"{base}/{wanted.name}")
    if present is None:
        body = _stated(wanted) | dict(more or {})

        def create() -> None:
            server.post(base, body)
            if noun == "blueprint":
                server.post(f"{base}/{wanted.name}/activate")
            after()

        yield Step(mark="+", noun=noun, name=wanted.name, run=create)
    else:
        yield _changed(noun, wanted, present, server)
    if wanted.ceiling is not None:
        yield _ceiling(noun, wanted, server, new=present is None)


def _stated(wanted: Entry) -> dict[str, Any]:
    found = {
        "name": wanted.name,
        "purpose": wanted.purpose,
        "environment": wanted.environment,
        "owner": wanted.owner,
        "attributes": wanted.attributes,
    }
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def _changed(noun: str, wanted: Entry, present: Mapping[str, Any], server: Server) -> Step:
    change: dict[str, Any] = {}
    if wanted.purpose and present.get("purpose") != wanted.purpose:
        change["purpose"] = wanted.purpose
    if wanted.attributes and not wanted.attributes.items() <= present.get("attributes", {}).items():
        change["attributes"] = {**present.get("attributes", {}), **wanted.attributes}
    if wanted.owner is not None and _id_of_user(server, wanted.owner) != present.get("owner"):
        change["owner"] = wanted.owner
    if not change:
        return Step(mark="=", noun=noun, name=wanted.name)
    path = f"/{noun}s/{present['id']}"
    return Step(
        mark="~",
        noun=noun,
        name=wanted.name,
        detail=", ".join(change),
        run=lambda: server.put(path, change),
    )


def _ceiling(noun: str, wanted: Entry, server: Server, *, new: bool) -> Step:
    path = f"/{noun}s/{wanted.name}/ceiling"
    stated = _normal(wanted)
    present = None if new else _find(server, path)
    if present is not None and present.get("ceiling") == stated:
        return Step(mark="=", noun="ceiling", name=wanted.name)
    mark: Literal["+", "~"] = "~" if present is not None and present.get("ceiling") else "+"
    return Step(mark=mark, noun="ceiling", name=wanted.name, run=lambda: server.put(path, stated))


def _normal(wanted: Entry) -> Any:
    """The ceiling as the server will show it, so that equal ones are equal."""
    try:
        body = msgspec.convert(wanted.ceiling, CeilingBody)
    except msgspec.ValidationError as wrong:
        raise Misused(f"ceiling of `{wanted.name}`: {wrong}", next_step="mend the file") from wrong
    return msgspec.to_builtins(ceiling_view(ceiling_of(body)))


def _server(wanted: WantedServer, server: Server) -> Iterator[Step]:
    present = _find(server, f"/servers/{wanted.name}")
    if present is None:
        body = msgspec.to_builtins(wanted)
        del body["tools"]
        stated = {name: value for name, value in body.items() if value is not None}
        yield Step(mark="+", noun="server", name=wanted.name, run=lambda: server.post("/servers", stated))
    else:
        yield Step(mark="=", noun="server", name=wanted.name)
    pinned = (
        {}
        if present is None
        else {each["name"]: each for each in server.get(f"/servers/{wanted.name}/tools")}
    )
    for tool in wanted.tools:
        yield _tool(wanted.name, tool, pinned.get(tool.name), server)


def _tool(name: str, wanted: WantedTool, present: Mapping[str, Any] | None, server: Server) -> Step:
    body = {key: value for key, value in msgspec.to_builtins(wanted).items() if value is not None}
    if present is not None and _same_tool(wanted, present):
        return Step(mark="=", noun="tool", name=f"{name}.{wanted.name}")
    return Step(
        mark="+" if present is None else "~",
        noun="tool",
        name=f"{name}.{wanted.name}",
        run=lambda: server.post(f"/servers/{name}/tools", {"tools": [body]}),
    )


def _same_tool(wanted: WantedTool, present: Mapping[str, Any]) -> bool:
    return bool(
        present["pin"] == "approved"
        and present["consequential"] == wanted.consequential
        and present["reversible"] == wanted.reversible
        and (wanted.definition is None or wanted.definition == present["definition"])
        and present.get("mapping") == _mapping(wanted)
    )


def _mapping(wanted: WantedTool) -> Any:
    """The mapping as the server shows it, so that equal ones are equal."""
    if wanted.mapping is None:
        return None
    try:
        return msgspec.to_builtins(msgspec.convert(wanted.mapping, MappingBody))
    except msgspec.ValidationError as wrong:
        raise Misused(f"mapping of `{wanted.name}`: {wrong}", next_step="mend the file") from wrong


def _policy(files: list[Path], server: Server) -> Step:
    text = read_policies(files)
    present = _find(server, "/policies/current")
    if present is not None and present["text"] == text:
        return Step(mark="=", noun="policy", name=f"version {present['version']}")
    return Step(
        mark="+" if present is None else "~",
        noun="policy",
        name="policies",
        detail=f"{len(files)} files",
        run=lambda: server.post("/policies", {"text": text}),
    )


def _id_of_user(server: Server, name: str) -> str:
    found = _find(server, f"/users/{name}")
    return "" if found is None else str(found["id"])


def _find(server: Server, path: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = server.get(path)
    except Refused as refused:
        if refused.status == _NOT_FOUND:
            return None
        raise
    return found


def _fresh(path: Path) -> Path:
    if path.exists():
        raise Misused(f"`{path}` exists already", next_step="name another `key` in the file")
    return path
