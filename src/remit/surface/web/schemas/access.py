"""Wire types of the Authorization API 1.0 (AuthZEN): members that are not named here are ignored (§5)."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from remit.app.access.question import Asked, Entity
from remit.app.access.requests import Denied
from remit.app.access.unasked import Unasked
from remit.kernel.building import builder
from remit.kernel.canonical import JsonObject

NAMESPACE = "dev.remit"
_entity, _question = builder(Entity), builder(Asked)
_Id = Annotated[str, msgspec.Meta(max_length=128)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class AccessEntity(msgspec.Struct, frozen=True, kw_only=True):
    """A subject or a resource. `properties` are the sender's word, and never believed."""

    type: _Name
    id: _Name
    properties: dict[str, Any] | None = None

    def entity(self) -> Entity:
        """As it is asked about."""
        return _entity(type=self.type, id=self.id)


class AccessTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What a search looks for: its `id`, if there is one, is ignored (§8)."""

    type: _Name

    def entity(self) -> Entity:
        """Its type alone."""
        return Entity(type=self.type, id="")


class AccessAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action by name, `<server>/<action>`; `properties.tool` where several tools share it."""

    name: _Name
    properties: dict[str, Any] | None = None


class AccessApproval(msgspec.Struct, frozen=True, kw_only=True):
    """The yes that a new evaluation stands on, as the task told it (ARAP draft 1)."""

    id: _Id


class AccessContext(msgspec.Struct, frozen=True, kw_only=True):
    """What of a context is read: the arguments, the task and the chain, and how fresh the answer must be."""

    arguments: dict[str, Any] | None = None
    task: _Id = ""
    envelope: _Id = ""
    revision: Annotated[int, msgspec.Meta(ge=0)] | None = None
    approval: AccessApproval | None = None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One question (§5, §6.1)."""

    subject: AccessEntity
    action: AccessAction
    resource: AccessEntity
    context: AccessContext = AccessContext()

    def asked(self) -> Asked:
        """As the decision point takes it."""
        return _asked(self.subject.entity(), self.action, self.resource.entity(), self.context)


class AccessDenial(msgspec.Struct, frozen=True, kw_only=True):
    """Which denial a request is about, as it was told."""

    evaluation_id: _Id
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)]


class AccessRequest(Evaluation, frozen=True, kw_only=True):
    """What people shall be asked about: the question that was denied, and its denial."""

    denial: AccessDenial

    def denied(self) -> Denied:
        """As the domain takes it."""
        return Denied(evaluation=self.denial.evaluation_id, expires_at=self.denial.expires_at)


class UnaskedItem(Evaluation, frozen=True, kw_only=True):
    """A call let through while nobody could be asked: when, and how long that had been so by then."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    outage_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)]

    def unasked(self) -> Unasked:
        """As the domain takes it."""
        return Unasked(asked=self.asked(), at=self.at, outage_s=self.outage_s)


class UnaskedBody(msgspec.Struct, frozen=True, kw_only=True):
    """Some of them, the oldest first."""

    calls: Annotated[list[UnaskedItem], msgspec.Meta(min_length=1, max_length=50)]


class AccessPage(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a search's answer is wanted (§8.2)."""

    token: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None


class SubjectSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Who may (§8.4)?"""

    subject: AccessTarget
    action: AccessAction
    resource: AccessEntity
    context: AccessContext = AccessContext()
    page: AccessPage = AccessPage()

    def asked(self) -> Asked:
        """As the decision point takes it."""
        return _asked(self.subject.entity(), self.action, self.resource.entity(), self.context)


class ResourceSearch(msgspec.Struct, frozen=True, kw_only=True):
    """With what (§8.5)?"""

    subject: AccessEntity
    action: AccessAction
    resource: AccessTarget
    context: AccessContext = AccessContext()
    page: AccessPage = AccessPage()

    def asked(self) -> Asked:
        """As the decision point takes it."""
        return _asked(self.subject.entity(), self.action, self.resource.entity(), self.context)


class ActionSearch(msgspec.Struct, frozen=True, kw_only=True):
    """What (§8.6)?"""

    subject: AccessEntity
    resource: AccessEntity
    context: AccessContext = AccessContext()
    page: AccessPage = AccessPage()

    def asked(self) -> Asked:
        """As the decision point takes it."""
        return _asked(self.subject.entity(), AccessAction(name="-"), self.resource.entity(), self.context)


def _asked(subject: Entity, action: AccessAction, resource: Entity, context: AccessContext) -> Asked:
    tool = (action.properties or {}).get("tool", "")
    arguments: JsonObject | None = context.arguments
    return _question(
        subject=subject,
        action=action.name,
        resource=resource,
        arguments=arguments,
        tool=tool if isinstance(tool, str) else "",
        task=context.task,
        envelope=context.envelope,
        at_least=context.revision,
        approval=context.approval.id if context.approval else "",
    )
