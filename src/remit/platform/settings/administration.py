"""What an installation wants of those who administer it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remit.oversight.changes.change import ChangeRule, SecondPerson

_LONGEST: Final = timedelta(days=7)
_SHORTEST: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationChoices:
    """When changes of high risk take a second person, and how long they wait for one."""

    second_person: SecondPerson = SecondPerson.WHEN_POSSIBLE
    """`when_possible` as soon as somebody else could confirm by passkey, `required` always, `off` never."""
    confirm_within: timedelta = ChangeRule().within
    """How long a change waits for its second person, 1m to 7d."""

    def __post_init__(self) -> None:
        """Hold the limits."""
        if not _SHORTEST <= self.confirm_within <= _LONGEST:
            raise ValueError("setting `administration.confirm_within` lies between 1m and 7d")

    def rule(self) -> ChangeRule:
        """As the oversight wing takes it."""
        return ChangeRule(second_person=self.second_person, within=self.confirm_within)
