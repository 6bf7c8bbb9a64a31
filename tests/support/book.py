"""The product and the book side by side: every way to ask one office, and what is not as the book says."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, Final, cast

from oracle import decision as oracle
from oracle.decision import Act, Ask, Said
from remit.app.access import search
from remit.app.access.desk import AccessDesk
from remit.app.access.question import Asked, Entity
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision, Effect, Verdict
from remit.decision.call.footing import Footings
from remit.decision.call.request import ProposedCall
from remit.decision.making.beforehand import Lookout
from remit.decision.provenance.rules import FINE, Cause, Ground, Ruling
from remit.decision.service import DecisionService
from remit.decision.stages.pipeline import STEPS, Step
from remit.decision.stages.preview import visible
from remit.kernel.ids import PrincipalId
from support.clock import FixedClock
from support.decisions import TOOLS, server
from support.plain_store import PlainStore, Unsigned, entropy
from support.worlds import Office

PEP: Final = PrincipalId("svc_pay")


def differs(verdict: Verdict, said: Said) -> str:
    """What is not as the book says: the effect, the stage of a denial, the rules that want it."""
    rules = frozenset(each.rule for each in verdict.reasons if each.effect is verdict.effect)
    stage = str(verdict.reasons[0].stage) if verdict.effect is Effect.DENY else ""
    if verdict.effect != said.effect or (stage and stage != said.stage):
        return f"`{verdict.effect}` at `{stage}`, the book says `{said.effect}` at `{said.stage}`"
    if verdict.effect is Effect.PERMIT:
        rules -= {""}  # the reason that a person gave
    if said.rules is not None and rules != said.rules:
        return f"rules {sorted(rules)}, the book says {sorted(said.rules)}"
    return ""


@dataclass
class Tracing:
    """Says of each call what provenance is supposed to say; how it comes to that is judged elsewhere."""

    said: dict[str, str] = field(default_factory=dict)

    def ruling(self, _store: object, asked: ProposedCall) -> Ruling:
        effect = self.said.get(asked.call, "permit")
        if effect == "permit":
            return FINE
        return Ruling(effect=Effect(effect), grounds=(Ground(cause=Cause.UNTRUSTED, argument="/room"),))


@dataclass
class Bench:
    """One office, everything that answers for it, and the book."""

    office: Office
    steps: Sequence[Step] = STEPS
    footings: type[Footings] = Footings
    past: list[Act] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    again: list[Asked] = field(default_factory=list)
    """What somebody was asked about, as it would be posed once more."""
    tally: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock, self.tracing = FixedClock(), Tracing()
        self.store = PlainStore(self.office.snapshot())
        self.moved()
        self.service = DecisionService(
            uow=cast("Any", self.store),
            snapshots=self.store,
            capabilities=Unsigned(),
            entropy=entropy,
            node="nod_1",
            steps=self.steps,
            lookout=Lookout(watch=cast("Any", self.tracing)),
        )
        self.access = AccessDesk(
            judge=self.service,
            snapshots=self.store,
            issuer="https://remit.example",
            clock=self.clock,
            entropy=entropy,
        )

    def moved(self) -> None:
        """The office is another one now."""
        self.store.head, self.facts = self.office.snapshot(), self.office.facts()
        object.__setattr__(self.store.head, "footings", self.footings())

    def book(self, asked: ProposedCall) -> Said:
        traced = self.tracing.said.get(asked.call, "permit")
        return oracle.decide(self.facts, asked, self.past, self.asks, traced)

    def compare(self, api: str, verdict: Verdict, said: Said, asked: object) -> None:
        self.tally[api] += 1
        self.tally[f"{said.effect} {said.stage}".strip()] += 1
        if found := differs(verdict, said):
            self.wrong.append(f"{api}: {found}: {asked}")

    def holds(self, api: str, asked: object, *, found: bool, said: bool) -> None:
        self.tally[api] += 1
        if found is not said:
            self.wrong.append(f"{api}: `{found}`, the book says `{said}`: {asked}")

    # -- the ways to ask

    async def everyway(self, asked: ProposedCall) -> None:
        """What `can` foretells, what searches foresee, and what is decided."""
        said = self.book(asked)
        self.compare("explain", (await self.service.explain(asked)).verdict, said, asked)
        (foreseen,) = await self.service.foresee([asked])
        self.holds("foresee", asked, found=foreseen is Effect.PERMIT, said=said.effect == "permit")
        decided = await self.service.decide(asked)
        self.compare("decide", decided.verdict, said, asked)
        self.settled(asked, decided, said)

    def settled(self, asked: ProposedCall, decided: Decision, said: Said) -> None:
        """The past goes on with what the book says was left; a yes that served is spent."""
        if said.effect == "permit" == decided.verdict.effect:
            self.left(said)
        elif decided.verdict.effect is Effect.ASK and self.office.chance(0.5):
            self.put(asked, decided)

    def put(self, asked: ProposedCall, decided: Decision) -> str:
        """A person is asked, and may have answered."""
        state = self.office.pick(["approved", "approved", "pending", "denied"])
        until = asked.at + timedelta(minutes=2)
        ident, version = f"apr_{len(self.asks)}", self.facts.version
        made = Ask(ident=ident, call=asked, version=version, state=state, expires_at=until)
        self.asks.append(made)
        self.store.asks[decided.key] = replace(made)
        return ident

    def left(self, said: Said) -> None:
        """What a permit leaves behind, by the book alone: the store has its own copies."""
        self.past.append(said.act)
        for each in self.asks:
            each.spent |= each.ident == said.yes

    def listed(self, who: VerifiedSubject) -> None:
        """A tool that is not shown is refused, whatever it is called with."""
        office, at = self.office, self.clock.now()
        shown = visible(who, server(), tuple(office.tools.values()), snapshot=self.store.head, at=at)
        for tool in office.tools.values():
            if tool.id in shown:
                continue
            asked = office.call(0, [who], at)
            if asked.tool is not None and asked.tool.id == tool.id:
                asked = replace(asked, tool=tool)
                self.holds("list", asked, found=False, said=self.book(asked).effect != "deny")

    async def through_authzen(self) -> None:
        """One question, a batch of three, and the searches, as another enforcement point asks them."""
        asked = self.question()
        await self.evaluated("AuthZEN", [asked], [await self.access.evaluate(asked, by=PEP)])
        several = [self.question() for _ in range(3)]
        before = list(self.past)
        posed = [self.posed(each) for each in several]
        answers = await self.access.evaluate_all(several, by=PEP)
        self.past = before
        await self.evaluated("AuthZEN batch", several, answers, posed)

    async def evaluated(
        self, api: str, asked: Sequence[Asked], answers: Sequence[Decision], posed: Any = None
    ) -> None:
        opened = list[tuple[Asked, ProposedCall, Decision]]()
        for one, (call_, refused), answer in zip(
            asked, posed or [self.posed(each) for each in asked], answers, strict=True
        ):
            said = self.book(call_)
            if refused:
                said = Said(effect="deny", stage=str(answer.verdict.reasons[0].stage), rules=None)
            self.compare(api, answer.verdict, said, one)
            if said.effect == "permit" == answer.verdict.effect:
                self.left(said)
            elif said.effect == "ask" == answer.verdict.effect and self.office.chance(0.5):
                opened.append((one, call_, answer))
        for one, call_, answer in opened:  # people are asked once the whole batch is answered
            ident = self.put(call_, answer)
            self.again.append(replace(one, approval=self.office.pick([ident, ident, ""])))

    def posed(self, asked: Asked) -> tuple[ProposedCall, bool]:
        found = self.access.posed(asked, self.store.head, by=PEP)
        return found.call, found.refused is not None

    def question(self) -> Asked:
        office = self.office
        if self.again and office.chance(0.3):
            return self.again[-1]
        name = office.pick(["rooms.book", "rooms.book", "rooms.read", "mail.send", "refunds.create"])
        arguments = office.arguments(name)
        kind, pointer = {
            "mail.send": ("Mailbox", "to"), "refunds.create": ("Order", "order"),
        }.get(name, ("Room", "room"))  # fmt: skip
        who, run = office.pick(
            [
                ("agent:ins_calendar", "tsk_1"), ("agent:ins_mail", "tsk_2"), ("agent:ins_calendar", "tsk_3"),
                ("workload:svc_pay", ""), ("user:usr_ada", ""), ("agent:ins_none", "tsk_1"),
                ("workload:usr_ada", ""), ("agent:agt_mail", "tsk_2"), ("robot:svc_pay", ""),
            ]
        )  # fmt: skip
        ident = str(arguments[pointer]) if office.chance(0.95) else "Room-9"
        tier, _, person = str(who).partition(":")
        return Asked(
            subject=Entity(type=tier, id=person), action=f"business/{name}",
            resource=Entity(type=kind, id=ident),
            arguments=None if office.chance(0.2) else arguments, task=run,
            approval=self.asks[-1].ident if self.asks and office.chance(0.4) else "",
        )  # fmt: skip

    async def searched(self) -> None:
        """Each list holds exactly those for whom the book says yes."""
        asked = replace(self.question(), arguments=None)
        everyone = [each.id for each in self.office.people.values()]
        found = await search.subjects(self.access, asked, by=PEP, after="", limit=100)
        self.equal(
            "search subjects",
            found.names,
            everyone,
            lambda name: asked.about(subject=Entity(type=asked.subject.type, id=name)),
        )
        found = await search.actions(self.access, asked, by=PEP, after="", limit=100)
        actions = [f"business/{each.name}" for each in TOOLS]
        self.equal("search actions", found.names, actions, lambda name: asked.about(action=name))
        found = await search.resources(self.access, asked, by=PEP, after="", limit=100)
        rooms = ["Room-401", "Room-402", "Room-403", "8812"] if found.complete else list(found.names)
        self.equal(
            "search resources",
            found.names,
            rooms,
            lambda name: asked.about(resource=Entity(type=asked.resource.type, id=name)),
        )

    def equal(self, api: str, found: Sequence[str], every: Sequence[str], about: Any) -> None:
        for name in {*every, *found}:
            call_, refused = self.posed(about(name))
            yes = not refused and self.book(call_).effect == "permit"
            self.holds(api, (name, call_), found=name in found, said=yes)


async def ask_all(seed: int, *, calls: int = 40, **kinds: Any) -> Bench:
    """One office through its day."""
    bench = Bench(Office(Random(seed)), **kinds)  # noqa: S311 — what is asked, nothing secret
    who = [bench.office.subject() for _ in range(5)]
    for number in range(calls):
        if number % 10 == 9:
            bench.office.change()
            bench.moved()
        bench.clock.advance(bench.office.pick([0.5, 1, 5, 20]))
        asked = bench.office.call(number, who, bench.clock.now())
        if bench.asks and bench.office.chance(0.3):
            again = bench.asks[-1].call
            asked = replace(again, call=asked.call, at=asked.at)
        bench.tracing.said[asked.call] = bench.office.pick(["permit"] * 18 + ["ask", "deny"])
        await bench.everyway(asked)
        if number % 4 == 0:
            bench.listed(asked.subject)
            await bench.through_authzen()
        if number % 12 == 0:
            await bench.searched()
    return bench


WAYS: Final = {"explain", "foresee", "decide", "list", "AuthZEN", "AuthZEN batch"}


def answers(tally: Counter[str]) -> int:
    """How many answers were compared."""
    return sum(count for name, count in tally.items() if name in WAYS or name.startswith("search"))
