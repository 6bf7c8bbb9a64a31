"""From facts to messages: who is told of what, in one commit per fact; telling twice makes one message."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.events import Event
from remit.kernel.ids import ApprovalId, Entropy, PrincipalId, TenantId
from remit.ledger import facts
from remit.ledger.record import Record
from remit.oversight.approvals.approval import ApprovalState
from remit.oversight.approvals.routing import eligible
from remit.oversight.notices.channel import Channel
from remit.oversight.notices.letter import (
    URGENT,
    Detail,
    Letter,
    Topic,
    approval_letter,
    outcome_letter,
    plain_letter,
    quoted,
    sign_in_letter,
)
from remit.oversight.notices.message import LIFE, Message, MessageState, message_id
from remit.oversight.notices.reach import callbacks_of, ways_to
from remit.oversight.notices.repository import NoticeTransaction

REQUESTED: Final = "oversight.approval.requested"
SETTLED: Final = frozenset(
    f"oversight.approval.{state}" for state in ApprovalState if state is not ApprovalState.PENDING
)
ASKED: Final = "authority.backchannel.asked"
CASE: Final = "oversight.case.opened"
KILLED: Final = "oversight.kill.committed"
SUSPENDED: Final = frozenset({"oversight.agent.denied_repeatedly", "authority.agent.denied_repeatedly"})
GLASS: Final = {
    "oversight.breakglass.opened": "Break glass is open: named rules are lifted until it ends.",
    "oversight.breakglass.used": "Break glass made a difference to a decision.",
    "oversight.breakglass.ended": "Break glass is over; its review is open.",
}
HEARS: Final = frozenset({REQUESTED, ASKED, CASE, KILLED, *SETTLED, *SUSPENDED, *GLASS})
"""Facts that somebody is told of."""
_HOUR: Final = timedelta(hours=1)
_PAGE: Final = 500
_KIND: Final = "oversight.notice."


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How much is told, to whom, and how often."""

    detail: Detail = Detail.SUMMARY
    per_hour: int = 30
    """Messages to one person within an hour; urgent ones don't count."""
    alarms: str = "role:admin"
    """Who hears of kills, break glass and suspended agents, as in `@approval`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What one fact means: a letter to some people."""

    letter: Letter
    people: Sequence[Principal]
    about: str
    once: str
    """What is told once: the fact, or what it is about."""


class Stating:
    """Turns facts into messages."""

    def __init__(
        self, *, tenant: TenantId, telling: Telling, name_of: Callable[[str], str], entropy: Entropy
    ) -> None:
        self._tenant = tenant
        self._telling = telling
        self._name_of = name_of
        self._entropy = entropy

    def state(self, tx: NoticeTransaction, event: Event, *, at: datetime) -> int:
        """Put on their way what a fact means for people; how many. Safe to repeat."""
        told = self._told(tx, event)
        if told is None:
            return 0
        channels = {each.name: each for each in tx.channels.all()}
        return sum(self._add(tx, told, person, channels, at=at) for person in told.people)

    def _told(self, tx: NoticeTransaction, event: Event) -> _Told | None:
        match event.name:
            case name if name == REQUESTED:
                return self._approval(tx, event)
            case name if name in SETTLED:
                return self._outcome(tx, event)
            case name if name == ASKED:
                return self._asked(tx, event)
            case name if name == CASE:
                return self._case(tx, event)
            case _:
                return self._alarm(tx, event)

    def _approval(self, tx: NoticeTransaction, event: Event) -> _Told | None:
        """Who was asked and can still answer."""
        approval = tx.approvals.get(ApprovalId(event.subject))
        if approval is None or approval.state is not ApprovalState.PENDING:
            return None
        letter = approval_letter(approval, detail=self._telling.detail)
        return _Told(letter=letter, people=_people(tx, approval.asked), about=approval.id, once=event.id)

    def _outcome(self, tx: NoticeTransaction, event: Event) -> _Told | None:
        """The agent that waits, where it registered an address for that."""
        approval = tx.approvals.get(ApprovalId(event.subject))
        agent = None if approval is None else tx.principals.get(approval.agent)
        if approval is None or agent is None or not callbacks_of(agent.id, tx.channels.all()):
            return None
        return _Told(letter=outcome_letter(approval), people=[agent], about=approval.id, once=event.id)

    def _asked(self, tx: NoticeTransaction, event: Event) -> _Told:
        said = dict(event.detail)
        until = datetime.fromisoformat(said["until"]) if said.get("until") else None
        letter = sign_in_letter(
            agent=self._name_of(said.get("agent", "")), until=until, detail=self._telling.detail
        )
        people = _people(tx, [PrincipalId(said.get("person", ""))])
        return _Told(letter=letter, people=people, about=event.subject, once=event.id)

    def _case(self, tx: NoticeTransaction, event: Event) -> _Told:
        """The fact names who is asked; the words of the agent are on the page alone."""
        said = dict(event.detail)
        sentence = f"Read it and answer into its task: remit case show {event.subject}"
        if self._telling.detail is Detail.SUMMARY:
            sentence = f"{quoted(self._name_of(event.actor))} has a question. {sentence}"
        letter = plain_letter(Topic.CASE, sentence, path="/me/messages")
        asked = [PrincipalId(each) for each in said.get("asked", "").split()]
        return _Told(letter=letter, people=_people(tx, asked), about=event.subject, once=event.id)

    def _alarm(self, tx: NoticeTransaction, event: Event) -> _Told:
        """Whoever answers for the installation, and who answers for the agent; not who did it."""
        topic, sentence = self._alarming(event)
        agent = tx.principals.get(PrincipalId(event.subject))
        owner = agent.owner if agent is not None and agent.kind is Kind.AGENT else None
        chosen = eligible(
            self._telling.alarms, people=_everybody(tx), requester=None, owner=owner, reversible=True
        )
        owners = _people(tx, [PrincipalId(owner)]) if owner else []
        people = {each.id: each for each in (*chosen, *owners) if each.id != event.actor}
        letter = plain_letter(topic, sentence, path="/me/messages")
        # Break glass may make a difference to many decisions: that it was used is told once of each.
        once = f"{event.name}/{event.subject}" if topic is Topic.BREAK_GLASS else str(event.id)
        return _Told(letter=letter, people=tuple(people.values()), about=event.subject, once=once)

    def _alarming(self, event: Event) -> tuple[Topic, str]:
        shown = self._telling.detail is Detail.SUMMARY
        if event.name in GLASS:
            return Topic.BREAK_GLASS, GLASS[event.name] if shown else "Look at it at once."
        if event.name == KILLED:
            return Topic.KILL, f"{self._named(event)} was stopped." if shown else "Look at it at once."
        sentence = f"{self._named(event)} kept asking for what people refuse, and is suspended."
        return Topic.ALARM, sentence if shown else "Look at it at once."

    def _named(self, event: Event) -> str:
        return quoted(self._name_of(event.subject))

    def _add(
        self,
        tx: NoticeTransaction,
        told: _Told,
        person: Principal,
        channels: Mapping[str, Channel],
        *,
        at: datetime,
    ) -> bool:
        folds = told.letter.topic not in URGENT and self._is_over(tx, person, at)
        state = MessageState.FOLDED if folds else _first_state(tx, told, person, channels)
        message = Message(
            id=message_id(self._tenant, told.once, person.id),
            tenant=self._tenant,
            person=person.id,
            about=told.about,
            letter=told.letter,
            state=state,
            stated_at=at,
            due=at,
            ends_at=told.letter.ends_at or at + LIFE,
        )
        if not tx.messages.add(message):
            return False
        if state is not MessageState.OPEN:
            record(tx, message, at=at, entropy=self._entropy)
        if folds:
            self._fold(tx, person, at=at)
        return True

    def _is_over(self, tx: NoticeTransaction, person: Principal, at: datetime) -> bool:
        return tx.messages.told_since(person.id, at - _HOUR) >= self._telling.per_hour

    def _fold(self, tx: NoticeTransaction, person: Principal, *, at: datetime) -> None:
        """One message in an hour says that there is more."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        sentence = (
            f"More than {self._telling.per_hour} things came within an hour. They wait on your page, untold."
        )
        tx.messages.add(
            Message(
                id=message_id(self._tenant, f"folded/{hour.isoformat()}", person.id),
                tenant=self._tenant,
                person=person.id,
                about=person.id,
                letter=plain_letter(Topic.FOLDED, sentence, path="/me/messages"),
                stated_at=at,
                due=at,
                ends_at=at + _HOUR,
            )
        )


def _first_state(
    tx: NoticeTransaction, told: _Told, person: Principal, channels: Mapping[str, Channel]
) -> MessageState:
    """Whoever can't be reached is said so at once, and not after hours of trying."""
    if told.letter.topic is Topic.OUTCOME:
        return MessageState.OPEN
    ways = ways_to(
        person,
        reach=tx.reaches.get(person.id),
        devices=tx.push_devices.of(person.id),
        channels=channels,
    )
    return MessageState.OPEN if ways else MessageState.UNREACHABLE


def record(tx: NoticeTransaction, message: Message, *, at: datetime, entropy: Entropy) -> None:
    """Put on record what became of a message (R72): ids, channel and codes, never what it said."""
    last = message.attempts[-1] if message.attempts else None
    about_approval = message.about.startswith("apr_")
    tx.ledger.append(
        Record(
            id=facts.record_id(at, entropy),
            at=at,
            tenant=message.tenant,
            kind=_KIND + message.state.value,
            actor="system",
            subject=message.person,
            approval=message.about if about_approval else "",
            effect=message.state.value,
            detail=(
                ("message", message.id),
                ("topic", message.topic),
                ("about", message.about),
                ("channel", message.channel),
                ("tries", str(len(message.attempts))),
                ("last", last.why if last else ""),
            ),
        )
    )


def _people(tx: NoticeTransaction, idents: Iterable[PrincipalId]) -> list[Principal]:
    found = (tx.principals.get(each) for each in dict.fromkeys(idents) if each)
    return [each for each in found if each is not None and each.state is State.ACTIVE]


def _everybody(tx: NoticeTransaction) -> list[Principal]:
    found: list[Principal] = []
    while page := tx.principals.page(kind=Kind.HUMAN, after=found[-1].id if found else "", limit=_PAGE):
        found += page
    return found
