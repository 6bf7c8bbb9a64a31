"""A book of scenarios: who and what there is, what would be called, and what must be answered."""

from typing import Annotated, Any

import msgspec

from remit.authority.tasks import Initiative, Mode
from remit.decision.answer.assessment import Part
from remit.decision.answer.response import Effect
from remit.identity.principals import Environment
from remit.identity.tools import Sensitivity

Text = Annotated[str, msgspec.Meta(max_length=2_048)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Names = Annotated[list[Name], msgspec.Meta(max_length=64)]
Points = Annotated[int, msgspec.Meta(ge=0, le=100)]
NOON = "2026-01-05T12:00:00Z"
"""When a call is made that says no time: a Monday."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class AgentGiven(_Entry, frozen=True, kw_only=True):
    """An agent, as policies see it."""

    environment: Environment = Environment.PRODUCTION
    owner: Text = "usr_owner"
    blueprint: Text = ""
    segments: Names = []
    attributes: dict[Name, Text] = {}
    purpose: Text = ""


class UserGiven(_Entry, frozen=True, kw_only=True):
    """A person that agents act for."""

    id: Text = ""
    segments: Names = []
    attributes: dict[Name, Text] = {}


class ResourceGiven(_Entry, frozen=True, kw_only=True):
    """What a tool touches: a type, and the argument that names it, or one fixed name."""

    type: Name
    pointer: Text = ""
    fixed: Text = ""
    sensitivity: Sensitivity = Sensitivity.UNLABELLED


class MoneyGiven(_Entry, frozen=True, kw_only=True):
    """Which arguments are money."""

    amount: Text
    currency: Text = ""
    fixed_currency: Text = ""


class ToolGiven(_Entry, frozen=True, kw_only=True):
    """A tool; arguments with their JSON types, `?` after the name of an optional one, or a whole `schema`."""

    resource: ResourceGiven | None = None
    arguments: dict[Name, Any] = {}
    schema: dict[str, Any] = {}
    consequential: bool = True
    reversible: bool = False
    money: MoneyGiven | None = None
    action: Text = ""
    """Name of the action where it is not the tool's."""


class Given(_Entry, frozen=True, kw_only=True):
    """The directory that scenarios take place in; what a server knows is added to it there."""

    agents: dict[Name, AgentGiven] = {}
    users: dict[Name, UserGiven] = {}
    tools: dict[Name, ToolGiven] = {}


class When(_Entry, frozen=True, kw_only=True):
    """A call."""

    agent: Name
    user: Text = ""
    tool: Name
    """`server/tool`, or `server/method` as in `business/tools.list`."""
    arguments: dict[str, Any] = {}
    purpose: Text = ""
    mode: Mode = Mode.INTERACTIVE
    initiative: Initiative = Initiative.USER
    segment: Text = ""
    depth: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    """Agents that handed the task on before this one."""
    bound: bool = True
    """Whether the caller's token is bound to a key."""
    acr: Text = ""
    """How the user signed in; with it, a minute before the call."""
    risk: dict[Part, Points] = {}
    """What makes the call risky, by contribution; they sum to its score."""
    at: Text = NOON


class Then(_Entry, frozen=True, kw_only=True):
    """What must be answered; what is not said is not looked at."""

    effect: Effect
    rules: Names | None = None
    """The policies that decided."""
    codes: Names | None = None
    approvers: Text | None = None
    obligations: Names | None = None


class Variation(_Entry, frozen=True, kw_only=True):
    """The same call with members of it changed, `arguments.amount: 5`; `null` leaves one out."""

    name: Text = ""
    change: dict[Name, Any]
    then: Then


class Story(_Entry, frozen=True, kw_only=True):
    """One call and its variations."""

    name: Name
    when: When
    then: Then
    also: Annotated[list[Variation], msgspec.Meta(max_length=256)] = []


class Book(_Entry, frozen=True, kw_only=True):
    """One file."""

    policies: Names = []
    """Files beside this one; without any, those that the command names."""
    given: Given = Given()
    scenarios: Annotated[list[Story], msgspec.Meta(min_length=1, max_length=1_000)]
