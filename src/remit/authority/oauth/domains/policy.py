"""Which rule of the matrix lets a client go on for a person, and what one rule leaves of what was held."""

from dataclasses import replace

from remit.authority.attenuation import meet, meet_all
from remit.authority.domains.trust import DomainRule, TrustedDomain
from remit.authority.oauth.clients.client import Client
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.rights import Ceiling
from remit.kernel.ids import PrincipalId, UserId

TEAMS = "teams"


def rule_for(tx: OAuthTransaction, domain: TrustedDomain, user: UserId, client: Client) -> DomainRule | None:
    """The first rule in force, by id, that names the person and the client; None if nothing was allowed."""
    person = tx.principals.get(PrincipalId(user))
    teams = "" if person is None else dict(person.attributes).get(TEAMS, "")
    names = {client.client_id, client.id, *((client.agent,) if client.agent is not None else ())}
    return next(
        (
            rule
            for rule in tx.domains.rules(domain.id)
            if rule.client in names and rule.is_for(user, frozenset(teams.split()))
        ),
        None,
    )


def bounded(domain: TrustedDomain, rule: DomainRule) -> Ceiling | None:
    """The most that both allow; None if the rule is about scopes alone."""
    if rule.ceiling is None or domain.ceiling is None:
        return rule.ceiling
    return meet(domain.ceiling, rule.ceiling)


def abroad(held: Ceiling, domain: TrustedDomain, rule: DomainRule) -> Ceiling | None:
    """What somebody holds here about that domain, in its words, within the rule; None if nothing.

    INVARIANT: only a right that is named as the domain's goes there. One that means something at a server
    of ours never leaves, however the servers are called over there.
    """
    most = bounded(domain, rule)
    if most is None:
        return None
    mark = domain.at_home("")
    theirs = frozenset(
        replace(right, action=right.action.removeprefix(mark))
        for right in held.rights
        if right.action.startswith(mark)
    )
    left = meet_all(replace(held, rights=theirs), most)
    return left if left.rights and left.purpose and left.window.start < left.window.end else None
