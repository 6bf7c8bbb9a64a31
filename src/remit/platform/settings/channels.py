"""How people are reached, and how much they are told before they have signed in."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from remit.kernel.outbound import Destination
from remit.oversight.notices.letter import Detail
from remit.oversight.notices.message import Pace
from remit.oversight.notices.stating import Telling

_LEAST: Final = timedelta(seconds=5)
_MOST: Final = timedelta(hours=1)
_MOST_ROUNDS: Final = 10
_MOST_TOLD: Final = 1000
PUSH_HOSTS: Final = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "web.push.apple.com",
    "*.notify.windows.com",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChoices:
    """What messages say, where they may be sent, and how long each is tried."""

    detail: Detail = Detail.SUMMARY
    """What a message says before sign-in: `summary` names agent, person and action; `none` only the link."""
    per_person_per_hour: int = 30
    """Messages to one person within an hour, at most 1000; more are folded into one that says so."""
    confirm_within: timedelta = timedelta(minutes=2)
    """How long an unconfirmed message waits until the next channel is tried too, 5s to 1h."""
    rounds: int = 5
    """How often all channels of a person are tried in order, at most 10; then the message is dead."""
    alarms: str = "role:admin"
    """Who is told of kills, break glass and suspended agents, as in `@approval`."""
    private_hosts: tuple[str, ...] = ()
    """Exact `host:port` of relays and webhooks in a private network; plain HTTP and SMTP go only there."""
    push_hosts: tuple[str, ...] = PUSH_HOSTS
    """Push services that browsers may bring along: `host`, `host:port`, or `*.` and the end of a host."""
    authorities: Path | None = None
    """File (PEM) of the authorities that relays and webhooks are believed by, instead of the machine's."""

    def __post_init__(self) -> None:
        """Hold the ceilings."""
        if not 1 <= self.per_person_per_hour <= _MOST_TOLD:
            raise ValueError(
                f"setting `channels.per_person_per_hour` is {self.per_person_per_hour}, "
                f"it goes from 1 to {_MOST_TOLD}"
            )
        if not 1 <= self.rounds <= _MOST_ROUNDS:
            raise ValueError(f"setting `channels.rounds` is {self.rounds}, it goes from 1 to {_MOST_ROUNDS}")
        if not _LEAST <= self.confirm_within <= _MOST:
            raise ValueError("setting `channels.confirm_within` goes from 5s to 1h")
        if any(not each.rpartition(":")[2].isdigit() for each in self.private_hosts):
            raise ValueError("setting `channels.private_hosts` holds pairs `host:port`")

    def destinations(self) -> frozenset[Destination]:
        """The pairs that may lie inside a private network."""
        return frozenset(
            Destination(host=host.lower(), port=int(port))
            for host, _, port in (each.rpartition(":") for each in self.private_hosts)
        )

    def telling(self) -> Telling:
        """As stating takes it."""
        return Telling(detail=self.detail, per_hour=self.per_person_per_hour, alarms=self.alarms)

    def pace(self) -> Pace:
        """As delivery takes it."""
        return Pace(rounds=self.rounds, confirm=self.confirm_within)
