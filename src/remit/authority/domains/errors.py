"""What an administrator of the trust matrix can do differently."""

from typing import ClassVar

from remit.kernel.errors import Conflict, Invalid, NotFound


class UnknownDomain(NotFound):
    """No domain of this id or name is trusted here."""

    code: ClassVar[str] = "unknown_domain"


class UnknownDomainRule(NotFound):
    """No such rule of a domain is in force."""

    code: ClassVar[str] = "unknown_domain_rule"


class DomainAlike(Conflict):
    """The domain, or one that a reader would take for it, is trusted already; or it is ourselves."""

    code: ClassVar[str] = "domain_alike"


class DomainUnfit(Invalid):
    """A domain, a rule or a link does not say what it must."""

    code: ClassVar[str] = "domain_unfit"


class SubjectLinked(Conflict):
    """A subject of another domain is one person here, and stays that person until it is unlinked."""

    code: ClassVar[str] = "subject_linked"
