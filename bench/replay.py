"""`python -m bench.replay`: a candidate policy over generated decisions in process; planted changes counted.

What is timed is decoding each stored decision, reading its arguments, asking the version that made it and the
candidate. Reading and opening the records of a store is not in it.
"""

import argparse
import sys
import time
from typing import Final

import msgspec
from bench.goal2_policy import _OFFICE, _request, _snapshot

from remit.app.bindings.trials import GatewayReader
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Verdict
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.replaying.recorded import RecordedDecision, Remembered, remembered
from remit.decision.replaying.replay import Replay, Replayer
from remit.decision.stages.policy import policy_stage
from remit.decision.trail.trace import Explanation, StoredDecision
from remit.kernel.canonical import canonical_json, sha256
from remit.kernel.ids import CallId, DecisionId

_EVERY: Final = 1_000
"""One decision in so many is about the room that the candidate forbids."""
_CANDIDATE: Final = '\n@id("no-room-13") forbid (principal, action, resource == Remit::Room::"Room-13");\n'


def main() -> None:
    """Measure and say it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--kinds", type=int, default=0, help="so many different arguments; 0: all differ")
    chosen = parser.parse_args()
    count, kinds = chosen.decisions, chosen.kinds or chosen.decisions
    then = compile_bundle(_OFFICE, version=version_of(_OFFICE, 1))
    text = _OFFICE + _CANDIDATE
    candidate = compile_bundle(text, version=version_of(text, 2))
    request = _request()
    made = policy_stage(request, _snapshot(then))
    decoder, found = msgspec.json.Decoder(RecordedDecision), Replay()
    replayer = Replayer(candidate, made_with=lambda _: then, reader=GatewayReader())

    def read(body: bytes, arguments: str) -> Remembered:
        return remembered(
            stored=decoder.decode(body),
            arguments=arguments,
            server=request.server,
            tool=request.tool,
            named_tool=True,
            agent=request.principal,
            blueprint=request.blueprint,
            user=request.user,
            companions=(),
            task=request.task,
            key="thumb",
        )

    took, cpu, batch = 0.0, 0.0, 10_000
    for first in range(0, count, batch):
        bodies = [_stored(made, number, number % kinds) for number in range(first, min(first + batch, count))]
        begun, ran = time.perf_counter(), time.thread_time()
        replayer.replay((read(*each) for each in bodies), found)
        took += time.perf_counter() - begun
        cpu += time.thread_time() - ran
    planted = len(range(0, count, _EVERY))
    exact = found.changed == planted and not found.lost and found.same == count - planted
    sys.stdout.write(
        f"{found.total:,} decisions, {kinds:,} kinds, replayed in {took:.1f} s "
        f"({cpu:.1f} s of CPU, {cpu / count * 1e6:.1f} µs each); "
        f"{found.changed:,} changes, {planted:,} planted, {'exact' if exact else 'NOT EXACT'}\n"
    )
    sys.exit(0 if exact else 1)


def _stored(made: Finding, number: int, kind: int) -> tuple[bytes, str]:
    """One decision as it is stored, with its arguments."""
    room = "Room-13" if number % _EVERY == 0 else f"Room-{400 + kind % 97}"
    arguments = canonical_json({"room": room, "start": f"day {kind} 14:00", "end": "15:00"})
    request = _request_once
    call = request.call
    told = Explanation(
        decision=DecisionId(f"dec_{number}"), at=call.at, tenant=call.subject.tenant, call=CallId("call_1"),
        action=call.action, resource=f"Room:{room}", agent=call.subject.agent, agent_name="calendar-bot",
        instance=call.subject.instance, chain=tuple(call.subject.chain), user=call.subject.user,
        user_name="ada", task=call.subject.task, purpose=request.purpose, arguments=sha256(arguments),
        verdict=Verdict(
            effect=Effect.PERMIT, reasons=made.reasons, nearest_miss=(), remedy=None, obligations=(),
            policy_version="v1", revision=1, epoch=1,
        ),
        stages=(made,), key="", token=call.subject.token,
    )  # fmt: skip
    stored = StoredDecision(id=DecisionId(f"dec_{number}"), explanation=told)
    return msgspec.json.encode(stored), arguments.decode()


_request_once: Final = _request()


if __name__ == "__main__":
    main()
