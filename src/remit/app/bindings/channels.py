"""How people are reached, put together: facts to messages, messages to transports, and what comes back."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import msgspec
import structlog

from remit.authority.tokens import Proof
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.events import Event
from remit.kernel.ids import ApprovalId, Entropy, MessageId, TenantId
from remit.kernel.outbound import AddressRule
from remit.kernel.sealing import Kek
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.service import AnswerProof, ApprovalService
from remit.oversight.errors import AnswerNotProven, PasskeyNeeded
from remit.oversight.notices.channel import ChannelKind, ChannelState
from remit.oversight.notices.delivery import DeliveryService
from remit.oversight.notices.message import LOST
from remit.oversight.notices.service import ChannelService, Reachable
from remit.oversight.notices.stating import HEARS, Stating
from remit.platform.channels import slack
from remit.platform.channels.dial import Dial
from remit.platform.channels.mail import Mail
from remit.platform.channels.sms import Sms
from remit.platform.channels.standard_webhooks import make_secret
from remit.platform.channels.teams import Teams
from remit.platform.channels.vapid import make_pair
from remit.platform.channels.web_push import WebPush
from remit.platform.channels.webhook import Webhook
from remit.platform.outbound import GuardedHttp, Rule
from remit.platform.settings.model import Settings
from remit.platform.storage.jobs import Job, JobRun
from remit.platform.storage.outbox import Subscriber
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

_log = structlog.stdlib.get_logger("remit.channels")
_RELAY_PORTS: Final = frozenset({25, 465, 587, 2525})
_KEEP: Final = timedelta(days=30)
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaching:
    """What surfaces and jobs need of it."""

    service: ChannelService
    delivery: DeliveryService
    stating: Stating
    cards: "SlackDesk"
    push_hosts: Sequence[str]
    work: SqlUnitOfWork
    clock: Clock
    exits: GuardedHttp

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        work: SqlUnitOfWork,
        kek: Kek,
        approvals: ApprovalService,
        name_of: Callable[[str], str],
        narrow: Callable[[Rule], Rule],
        tenant: TenantId,
        clock: Clock,
        entropy: Entropy,
    ) -> Self:
        """Bind the parts; `narrow` bounds where a tenant's ways out may lead."""
        chosen = settings.channels
        registered = chosen.destinations()
        trusted = _authorities(chosen.authorities)
        exits = GuardedHttp(
            rule=narrow(AddressRule(registered=registered)),
            tls=None if chosen.authorities is None else trusted(),
        )
        dial = Dial(rule=narrow(AddressRule(registered=registered, ports=_RELAY_PORTS)))
        delivery = DeliveryService(
            work=work,
            transports={
                ChannelKind.WEB_PUSH: WebPush(outbound=exits, hosts=chosen.push_hosts, entropy=entropy),
                ChannelKind.MAIL: Mail(dial=dial, tls=trusted, name=_own_name(settings)),
                ChannelKind.SMS: Sms(outbound=exits),
                ChannelKind.SLACK: slack.Slack(outbound=exits),
                ChannelKind.TEAMS: Teams(outbound=exits),
                ChannelKind.WEBHOOK: Webhook(outbound=exits),
            },
            kek=kek,
            issuer=settings.issuer_url,
            pace=chosen.pace(),
            clock=clock,
            entropy=entropy,
        )
        service = ChannelService(
            work=work,
            delivery=delivery,
            make_pair=make_pair,
            make_secret=make_secret,
            kek=kek,
            tenant=tenant,
            clock=clock,
            entropy=entropy,
        )
        return cls(
            service=service,
            delivery=delivery,
            stating=Stating(tenant=tenant, telling=chosen.telling(), name_of=name_of, entropy=entropy),
            cards=SlackDesk(channels=service, approvals=approvals, clock=clock),
            push_hosts=chosen.push_hosts,
            work=work,
            clock=clock,
            exits=exits,
        )

    def subscriber(self) -> Subscriber:
        """Facts that somebody is told of."""
        return Subscriber(name="oversight.notices", hears=HEARS, handle=self.heard)

    async def heard(self, event: Event) -> None:
        """State what a fact means for people. CRASH: repeated, it makes nothing new."""
        at = self.clock.now()
        await self.work.commit(lambda tx: self.stating.state(tx, event, at=at))

    def jobs(self) -> tuple[Job, ...]:
        """What runs by itself."""
        second, hour = timedelta(seconds=1), timedelta(hours=1)
        return (
            Job(name="messages.deliver", every=second, run=self._deliver, wanted=self.delivery.has_due),
            Job(name="messages.forget", every=hour, run=self._forget),
        )

    async def lost(self) -> int:
        """Messages that nobody got, for those who look after this."""
        counts = await self.service.counts()
        return sum(counts.get(each.value, 0) for each in LOST)

    async def _deliver(self, _run: JobRun) -> None:
        delivered = await self.delivery.run_due()
        if delivered:
            _log.info("messages_delivered", count=delivered)

    async def _forget(self, run: JobRun) -> None:
        before = self.clock.now() - _KEEP

        def forget(tx: SqlTransaction) -> int:
            return tx.messages.forget(before, _AT_ONCE)

        while await run.commit(forget) == _AT_ONCE:
            pass


class CardRefused(AnswerNotProven):
    """What came was not pressed by whom it was shown to, on a card of ours."""

    code = "card_refused"


class _Pressed(msgspec.Struct, frozen=True):
    action_id: str = ""
    value: str = ""


class _Member(msgspec.Struct, frozen=True):
    id: str = ""


class _Interaction(msgspec.Struct, frozen=True):
    type: str = ""
    user: _Member = _Member()
    actions: list[_Pressed] = []


_INTERACTION: Final = msgspec.json.Decoder(_Interaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackDesk:
    """Takes answers from Slack's buttons.

    1 Slack signed this request, a moment ago   2 the channel has buttons, and is active   3 the message
    is one of ours to a person whose member id pressed it   4 the ask can be taken back and needs no passkey
    5 the answer names its very digest; the service judges the rest, and burns it
    """

    channels: ChannelService
    approvals: ApprovalService
    clock: Clock

    async def take(self, name: str, body: bytes, payload: str, *, moment: str, signature: str) -> str:
        """Give the answer; a sentence for who pressed it. Raises `CardRefused` and what answering raises."""
        at = self.clock.now()
        channel, secrets = await self.channels.secrets_of(name)
        if not slack.is_signed(body, moment=moment, signature=signature, key=secrets.key, at=at):
            raise CardRefused("the request is not signed by Slack, or too old")
        if not channel.answers or channel.state is not ChannelState.ACTIVE:
            raise CardRefused("this channel takes no answers", next_step="open the page from the card")
        interaction = _read(payload)
        pressed = interaction.actions[0] if len(interaction.actions) == 1 else _Pressed()
        if pressed.action_id == "open":
            return ""
        ident, _, digest = pressed.value.partition(" ")
        return await self._answer(name, interaction.user.id, pressed.action_id, ident, digest)

    async def _answer(self, name: str, member: str, action: str, ident: str, digest: str) -> str:
        message = await self.channels.message(MessageId(ident))
        reachable = await self.channels.reach(message.person)
        if not _is_theirs(reachable, name, member):
            raise CardRefused("this card was shown to somebody else", next_step="open the page from the card")
        approval = await self.approvals.get(ApprovalId(message.about))
        self._check_low_risk(approval)
        proof = AnswerProof(
            by=message.person,
            tenant=approval.tenant,
            approval=approval.id,
            digest=digest,
            channel="slack",
            once=Proof(key=f"slack:{name}", jti=f"{ident}/{digest}", keep_until=approval.expires_at),
        )
        settled = await self.approvals.answer(approval.id, answer=_answer_of(action), proof=proof)
        await self.channels.confirm(message.id, person=message.person)
        return f"Recorded: {settled.state}. {approval.id}"

    def _check_low_risk(self, approval: Approval) -> None:
        if not approval.reversible or approval.passkey:
            raise PasskeyNeeded(
                "what can't be taken back is answered on its page",
                next_step=f"remit approval link {approval.id}",
            )


def _read(payload: str) -> _Interaction:
    try:
        found = _INTERACTION.decode(payload)
    except (msgspec.DecodeError, UnicodeEncodeError) as unreadable:
        raise CardRefused("the request holds no interaction") from unreadable
    if found.type != "block_actions":
        raise CardRefused("the request is no press of a button")
    return found


def _answer_of(action: str) -> Answer:
    try:
        return Answer(action)
    except ValueError as unknown:
        raise CardRefused("say approve or deny") from unknown


def _is_theirs(reachable: Reachable, channel: str, member: str) -> bool:
    return bool(member) and any(way.channel == channel and way.address == member for way in reachable.ways)


def _own_name(settings: Settings) -> str:
    return urlsplit(settings.issuer_url).hostname or "localhost"


def _authorities(file: Path | None) -> Callable[[], ssl.SSLContext]:
    """Whoever is believed; read with every use, so that a renewed file needs no restart."""

    def read() -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=None if file is None else str(file.expanduser()))
        except (OSError, ssl.SSLError) as unreadable:
            raise AuthoritiesUnreadable(
                f"`{file}` holds no authorities that can be read", next_step="set `channels.authorities`"
            ) from unreadable

    return read


class AuthoritiesUnreadable(RemitError):
    """The file of believed authorities is absent or broken: nothing is sent on less."""

    code = "authorities_unreadable"
    kind = "unavailable"
