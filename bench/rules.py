"""Rules as a company of some size has them: 1,000 policies, relations that a tool demands, and history.

A text holds at most 1,000 policies. The peer's Cedar gets as many; where ours look at the past, which Cedar
has no words for, the peer has three further ones of the other kinds.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

COUNT: Final = 1_000
STORE: Final = "rooms"
TUPLES: Final = 2_000
_OFFICE: Final = (Path(__file__).parent / "policies.cedar").read_text(encoding="utf-8")
_OTHERS: Final = (
    """permit (principal == Remit::Agent::"agent-{n}",
action == Remit::Action::"business/rooms.book", resource) when {{ context.purpose == "scheduling" }};""",
    """permit (principal, action == Remit::Action::"business/rooms.book",
resource == Remit::Room::"Desk-{n}") when {{ context.purpose == "desk-{n}" }};""",
    """forbid (principal == Remit::Agent::"agent-{n}",
action == Remit::Action::"business/mail.send", resource) when {{ context.purpose == "none" }};""",
    """permit (principal in Remit::Blueprint::"department-{n}",
action == Remit::Action::"business/customers.read", resource) when {{ context.purpose == "support" }};""",
)
_BOOK: Final = 'action == Remit::Action::"business/rooms.book"'
HISTORY: Final = f"""
@id("booked") @remember("booked by=user,task for=1h of=resource")
permit (principal, {_BOOK}, resource);

@id("hoarding") forbid (principal, {_BOOK}, resource)
when {{ context.past.booked.user.count > 1000000 }};

@id("elsewhere") forbid (principal, {_BOOK}, resource)
when {{ context.past.booked.task.values.contains("Vault") }};
"""
MODEL: Final = """model
  schema 1.1
type user
type team
  relations
    define member: [user, team#member]
type room
  relations
    define closed_to: [user, team#member]
    define booker: [team#member] but not closed_to
"""
RELATION: Final = {"relation": "booker", "whom": "user", "type": "room"}
"""What `rooms.book` demands: three hops from the person to the room, and a look at who is shut out."""


def policies(*, history: bool) -> str:
    """The text of 1,000 policies; three of them look at the past, or none."""
    last = HISTORY if history else ""
    own = _OFFICE.count("@id(") + last.count("@id(")
    others = [f'@id("other-{n}") {_OTHERS[n % len(_OTHERS)].format(n=n)}' for n in range(COUNT - own)]
    return "\n\n".join([_OFFICE, *others, last])


def tuples(person: str) -> Iterator[dict[str, Any]]:
    """Who belongs where: one person three hops from the room that is booked, and very many others."""
    yield _tuple(f"user:{person}", "member", "team:floor-4")
    yield _tuple("team:floor-4#member", "member", "team:house")
    yield _tuple("team:house#member", "booker", "room:Room-401")
    for number in range(TUPLES - 3):
        yield _tuple(f"user:person-{number}", "member", f"team:team-{number % 50}")


def batches(rows: Sequence[dict[str, Any]], size: int = 100) -> Iterator[list[dict[str, Any]]]:
    """So many at once as one request may write."""
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def _tuple(user: str, relation: str, thing: str) -> dict[str, Any]:
    return {"user": user, "relation": relation, "object": thing}
