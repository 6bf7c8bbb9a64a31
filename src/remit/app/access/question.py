"""Who, what, on what: a question as an enforcement point asks it (Authorization API 1.0 §5)."""

from dataclasses import dataclass, replace

from remit.kernel.canonical import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A subject or a resource: a type, and an id within it."""

    type: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question. What it says of anybody's attributes is not taken: ours are the directory's.

    `arguments` is None where the enforcement point knows nothing but the resource. `tool` tells tools apart
    that share an action. `task` and `envelope` (its digest) say in which run and chain an agent acts.
    """

    subject: Entity
    action: str
    resource: Entity
    arguments: JsonObject | None = None
    tool: str = ""
    task: str = ""
    envelope: str = ""
    approval: str = ""
    """The yes that it stands on: without naming it, a question of an enforcement point stays one."""
    at_least: int | None = None
    """The revision that the answer must know (a consistency token)."""

    def about(
        self, *, subject: Entity | None = None, action: str | None = None, resource: Entity | None = None
    ) -> "Asked":
        """The same question with one of its parts exchanged."""
        return replace(
            self,
            subject=subject or self.subject,
            action=self.action if action is None else action,
            resource=resource or self.resource,
        )
