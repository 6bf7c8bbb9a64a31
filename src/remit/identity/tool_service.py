"""Use cases of MCP servers and their tools: register, pin exact definitions, quarantine what changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec

from remit.identity import events
from remit.identity.errors import DefinitionChanged, ParentUnfit, UnknownPrincipal
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.registration import Registration
from remit.identity.repository import IdentityTransaction
from remit.identity.service import activate, known, register
from remit.identity.tools import Pin, Sensitivity, Server, ServerStanding, Tool, ToolMapping
from remit.kernel.canonical import (
    Digest,
    JsonObject,
    canonical_json,
    framed_digest,
    parse_json,
    sha256,
)
from remit.kernel.errors import TooLarge
from remit.kernel.ids import Entropy, PrincipalId, ServerId, TenantId, ToolId, mint_id
from remit.kernel.uow import UnitOfWork

DEFINITION_LIMIT: Final = 64 << 10
"""Bytes of a tool's canonical definition (security section 3)."""
TOOLS_LIMIT: Final = 1000


class DefinitionTooLarge(TooLarge):
    """A tool's definition, or the list of a server's tools, is over its limit."""

    code = "definition_too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A tool as its server lists it (`tools/list`), with what an administrator says about it."""

    name: str
    definition: JsonObject
    mapping: ToolMapping | None = None
    consequential: bool = True
    reversible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A tool as its server lists it now."""

    name: str
    definition: JsonObject


class ToolService:
    """Registers servers, pins their tools and takes a tool out of use when its definition changes."""

    def __init__(self, *, uow: UnitOfWork[IdentityTransaction], entropy: Entropy, tenant: TenantId) -> None:
        self._uow = uow
        self._entropy = entropy
        self._tenant = tenant

    async def register_server(
        self,
        server: Server,
        *,
        owner: PrincipalId,
        purpose: str,
        environment: Environment,
        by: PrincipalId,
        at: datetime,
    ) -> Server:
        """Put a server into the directory and before the gateway; both or neither. `server.id` is given."""

        def work(tx: IdentityTransaction) -> Server:
            stated = Registration(
                kind=Kind.MCP_SERVER, name=server.name, owner=owner, purpose=purpose, environment=environment
            )
            ident = PrincipalId(server.id)
            register(tx, stated, self._tenant, by, at, self._entropy, ident=ident)
            entry = activate(tx, ident, by, at, self._entropy)
            tx.servers.put(server)
            tx.touch("server", server.id)
            detail = (("transport", server.transport.value),)
            events.state(
                tx, events.SERVER_REGISTERED, entry, by=by, at=at, entropy=self._entropy, detail=detail
            )
            return server

        return await self._uow.commit(work)

    async def believe(
        self, server: ServerId, standing: ServerStanding, *, by: PrincipalId, because: str, at: datetime
    ) -> Server:
        """Say how far what a server answers is believed by itself (N13); raises `ParentUnfit` for no server.

        It counts from this commit on, for what running tasks are answered from then.
        """

        def work(tx: IdentityTransaction) -> Server:
            present = tx.servers.get(server)
            if present is None:
                raise ParentUnfit(f"no MCP server `{server[:64]}`", next_step="remit server list")
            changed = replace(present, standing=standing)
            tx.servers.put(changed)
            tx.touch("server", server)
            # A decision that was made while more was believed is not recorded any more.
            tx.advance_epoch(f"believed:{server}")
            detail = (("before", present.standing.value), ("now", standing.value), ("because", because))
            entry = known(tx, PrincipalId(server))
            events.state(
                tx, events.SERVER_BELIEVED, entry, by=by, at=at, entropy=self._entropy, detail=detail
            )
            return changed

        return await self._uow.commit(work)

    async def pin(
        self, server: ServerId, definitions: Sequence[Definition], *, by: PrincipalId, at: datetime
    ) -> Sequence[Tool]:
        """Pin and approve exactly these definitions and mappings: an administrator has read them."""
        _check_count(len(definitions))

        def work(tx: IdentityTransaction) -> Sequence[Tool]:
            tx.advance_epoch(f"pinned:{server}")
            return [self._pin(tx, server, stated, by, at) for stated in definitions]

        return await self._uow.commit(work)

    async def observe(
        self, server: ServerId, seen: Sequence[Seen], *, by: PrincipalId, at: datetime
    ) -> Sequence[Tool]:
        """Compare what a server lists with what is pinned; gives back the tools that changed state.

        A changed definition is quarantined, a new tool enters quarantined, and one whose definition is the
        pinned one again stays as it is: only a person lifts a quarantine (MC-05).
        """
        _check_count(len(seen))

        def work(tx: IdentityTransaction) -> Sequence[Tool]:
            found = [self._observe(tx, server, one, by, at) for one in seen]
            changed = [tool for tool in found if tool is not None]
            if changed:
                tx.advance_epoch(f"quarantined:{server}")
            return changed

        return await self._uow.commit(work)

    async def approve(self, tool: ToolId, *, definition: Digest, by: PrincipalId, at: datetime) -> Tool:
        """Lift a quarantine for exactly the definition that was shown, by its SHA-256.

        Raises `DefinitionChanged` if the server has sent another one since.
        """

        def work(tx: IdentityTransaction) -> Tool:
            present = _tool(tx, tool)
            shown = present.seen_definition or present.definition
            if sha256(shown.encode()) != definition:
                raise DefinitionChanged(f"tool `{present.name}` has another definition by now")
            approved = replace(
                present,
                definition=shown,
                seen_definition="",
                digest=tool_digest(shown, present.mapping, consequential=present.consequential),
                pin=Pin.APPROVED,
                pinned_at=at,
            )
            tx.advance_epoch(f"approved:{tool}")
            self._store(tx, approved, events.TOOL_APPROVED, by, at)
            return approved

        return await self._uow.commit(work)

    async def quarantine(self, tool: ToolId, *, by: PrincipalId, because: str, at: datetime) -> Tool:
        """Take a tool out of use until a person approves it again."""

        def work(tx: IdentityTransaction) -> Tool:
            stopped = replace(_tool(tx, tool), pin=Pin.QUARANTINED)
            tx.advance_epoch(f"quarantined:{tool}")
            self._store(tx, stopped, events.TOOL_QUARANTINED, by, at, because=because)
            return stopped

        return await self._uow.commit(work)

    async def tools(self, server: ServerId) -> Sequence[Tool]:
        """All tools of a server, by name."""
        return await self._uow.read(lambda tx: tx.tools.of(server))

    async def servers(self) -> Sequence[Server]:
        """All servers, by name."""
        return await self._uow.read(lambda tx: tx.servers.all())

    def _pin(
        self, tx: IdentityTransaction, server: ServerId, stated: Definition, by: PrincipalId, at: datetime
    ) -> Tool:
        text = _definition_text(stated.definition)
        known_tool = tx.tools.named(server, stated.name)
        ident = known_tool.id if known_tool else self._enter(tx, server, stated.name, by, at)
        tool = Tool(
            id=ident,
            tenant=self._tenant,
            server=server,
            name=stated.name,
            definition=text,
            digest=tool_digest(text, stated.mapping, consequential=stated.consequential),
            pin=Pin.APPROVED,
            consequential=stated.consequential,
            reversible=stated.reversible,
            mapping=stated.mapping,
            pinned_at=at,
        )
        self._store(tx, tool, events.TOOL_PINNED, by, at)
        return tool

    def _observe(
        self, tx: IdentityTransaction, server: ServerId, seen: Seen, by: PrincipalId, at: datetime
    ) -> Tool | None:
        text = _definition_text(seen.definition)
        present = tx.tools.named(server, seen.name)
        if present is None:
            return self._enter_quarantined(tx, server, seen.name, text, by, at)
        if text in {present.definition, present.seen_definition} and not _returned(present, text):
            return None
        seen_text = "" if text == present.definition else text
        changed = replace(present, pin=Pin.QUARANTINED, seen_definition=seen_text)
        self._store(tx, changed, events.TOOL_QUARANTINED, by, at, because="definition_changed")
        return changed

    def _enter_quarantined(
        self,
        tx: IdentityTransaction,
        server: ServerId,
        name: str,
        text: str,
        by: PrincipalId,
        at: datetime,
    ) -> Tool:
        tool = Tool(
            id=self._enter(tx, server, name, by, at),
            tenant=self._tenant,
            server=server,
            name=name,
            definition=text,
            digest=tool_digest(text, None, consequential=True),
            pin=Pin.QUARANTINED,
            pinned_at=at,
        )
        self._store(tx, tool, events.TOOL_QUARANTINED, by, at, because="never_approved")
        return tool

    def _enter(
        self, tx: IdentityTransaction, server: ServerId, name: str, by: PrincipalId, at: datetime
    ) -> ToolId:
        """Give a tool its place in the directory (R1): below its server, with the server's owner."""
        holder = tx.servers.get(server)
        if holder is None:
            raise ParentUnfit(f"no MCP server `{server[:64]}`")
        ident = PrincipalId(mint_id("tol", at=at, entropy=self._entropy))
        stated = Registration(kind=Kind.TOOL, name=f"{holder.name}/{name}", parent=PrincipalId(server))
        register(tx, stated, self._tenant, by, at, self._entropy, ident=ident)
        activate(tx, ident, by, at, self._entropy)
        return ToolId(ident)

    def _store(
        self,
        tx: IdentityTransaction,
        tool: Tool,
        fact: str,
        by: PrincipalId,
        at: datetime,
        *,
        because: str = "",
    ) -> None:
        tx.tools.put(tool)
        tx.touch("tool", tool.id)
        entry: Principal = known(tx, PrincipalId(tool.id))
        shown = tool.seen_definition or tool.definition
        events.state(
            tx,
            fact,
            entry,
            by=by,
            at=at,
            entropy=self._entropy,
            detail=(("server", tool.server), ("because", because)),
            digests=(("tool", tool.digest), ("definition", sha256(shown.encode()))),
        )


def tool_digest(definition: str, mapping: ToolMapping | None, *, consequential: bool) -> Digest:
    """What a tool is pinned and approved by: its definition, its mapping and whether it is consequential."""
    stated = b"" if mapping is None else canonical_json(_stated(mapping))
    parts = (definition.encode(), stated, b"consequential" if consequential else b"")
    return framed_digest("remit/tool/v1", parts)


def _stated(mapping: ToolMapping) -> JsonObject:
    """What a mapping says; what came later and is not used leaves the digest that a tool was pinned by."""
    said: JsonObject = msgspec.to_builtins(mapping)
    for later in ("relation", "meters", "hosts", "beneficiary", "imperative"):
        if not said[later]:
            del said[later]
    resource = said["resource"]
    if isinstance(resource, dict) and mapping.resource.sensitivity is Sensitivity.UNLABELLED:
        del resource["sensitivity"]
    return said


def _definition_text(definition: JsonObject) -> str:
    raw = canonical_json(definition)
    if len(raw) > DEFINITION_LIMIT:
        raise DefinitionTooLarge(f"definition has {len(raw)} bytes, the limit is {DEFINITION_LIMIT}")
    parse_json(raw)
    return raw.decode()


def _returned(present: Tool, text: str) -> bool:
    """Whether the server sends the pinned definition again after another one."""
    return text == present.definition and present.seen_definition != ""


def _tool(tx: IdentityTransaction, ident: ToolId) -> Tool:
    found = tx.tools.get(ident)
    if found is None:
        raise UnknownPrincipal(f"no tool `{ident[:64]}`")
    return found


def _check_count(count: int) -> None:
    if count > TOOLS_LIMIT:
        raise DefinitionTooLarge(f"server lists {count} tools, the limit is {TOOLS_LIMIT}")
