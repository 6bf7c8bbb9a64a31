"""The tools. What they may do is decided elsewhere; here is only what they do."""

import json
from importlib.resources import files
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from remit_demo.business.store import NotThere, Store

_READS: Final = ToolAnnotations(read_only_hint=True)
_WRITES: Final = ToolAnnotations(read_only_hint=False, destructive_hint=False)


def mappings() -> list[dict[str, Any]]:
    """How each tool's arguments become action and resource; what an operator registers with the server."""
    text = files("remit_demo.business").joinpath("mapping.json").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text)
    return found


def build(store: Store) -> MCPServer:
    """The MCP server with all its tools."""
    server = MCPServer(
        "business",
        instructions="Rooms, customers, refunds, documents and mail of a small company.",
        log_level="WARNING",
    )
    _rooms(server, store)
    _customers(server, store)
    _documents(server, store)
    _mail(server, store)
    return server


def _rooms(server: MCPServer, store: Store) -> None:
    @server.tool(annotations=_READS)
    def rooms_free(start: str, end: str) -> list[str]:
        """List the rooms that are free from start to end, both as UTC times like 2026-05-15T14:00Z."""
        found = store.rows(
            'SELECT id FROM rooms WHERE id NOT IN (SELECT room FROM bookings WHERE start < ? AND "end" > ?) '
            "ORDER BY id",
            end,
            start,
        )
        return [row[0] for row in found]

    @server.tool(annotations=_WRITES)
    def rooms_book(room: str, start: str, end: str, title: str) -> dict[str, Any]:
        """Reserve a room from start to end, both as UTC times like 2026-05-15T14:00Z."""
        try:
            booking = store.book(room, start, end, title)
        except NotThere as taken:
            raise ToolError(str(taken)) from taken
        return {"booking": booking, "room": room, "start": start, "end": end}


def _customers(server: MCPServer, store: Store) -> None:
    @server.tool(annotations=_READS)
    def customers_read(customer_id: str) -> dict[str, str]:
        """Read one customer's name, address, segment and card."""
        found = store.rows("SELECT id, name, email, segment, card FROM customers WHERE id = ?", customer_id)
        if not found:
            raise ToolError(f"no customer {customer_id}")
        return dict(zip(("id", "name", "email", "segment", "card"), found[0], strict=True))

    @server.tool(annotations=_WRITES)
    def refunds_create(order_id: str, amount: str, currency: str) -> dict[str, Any]:
        """Pay money of an order back to the customer. The amount is a decimal like 35.00."""
        if not store.rows("SELECT 1 FROM orders WHERE id = ?", order_id):
            raise ToolError(f"no order {order_id}")
        number = store.write(
            'INSERT INTO refunds ("order", amount, currency) VALUES (?, ?, ?)', order_id, amount, currency
        )
        return {"refund": number, "order": order_id, "amount": amount, "currency": currency}


def _documents(server: MCPServer, store: Store) -> None:
    @server.tool(annotations=_READS)
    def documents_search(query: str) -> dict[str, Any]:
        """Find documents whose title or text holds the query."""
        found = store.rows(
            "SELECT id, title, tags FROM documents "
            "WHERE instr(lower(title || ' ' || text), lower(?)) ORDER BY id",
            query,
        )
        return {"documents": [{"id": row[0], "title": row[1], "tags": row[2].split()} for row in found]}

    @server.tool(annotations=_READS)
    def documents_read(document_id: str) -> dict[str, Any]:
        """Read one document."""
        found = store.rows("SELECT id, title, tags, text FROM documents WHERE id = ?", document_id)
        if not found:
            raise ToolError(f"no document {document_id}")
        ident, title, tags, text = found[0]
        return {"id": ident, "title": title, "tags": tags.split(), "text": text}

    @server.resource("document://{document_id}", mime_type="text/plain")
    def document(document_id: str) -> str:
        """The text of one document."""
        found = store.rows("SELECT text FROM documents WHERE id = ?", document_id)
        if not found:
            raise ValueError(f"no document {document_id}")
        return str(found[0][0])

    @server.prompt()
    def summarize(document_id: str) -> str:
        """Ask for a summary of one document."""
        return f"Read document {document_id} and summarize it in three sentences."


def _mail(server: MCPServer, store: Store) -> None:
    @server.tool(annotations=_WRITES)
    def mail_send(to: str, subject: str, body: str) -> dict[str, Any]:
        """Send a mail. It is put into the outbox of this demonstration, nothing leaves the machine."""
        number = store.write(
            "INSERT INTO mail (recipient, subject, body) VALUES (?, ?, ?)", to, subject, body
        )
        return {"mail": number, "to": to}
