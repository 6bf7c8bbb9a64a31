"""Rules: which workloads are which agent. A rule that pins nothing down is never stored (AS-10)."""

from collections.abc import Sequence

from remit.identity.federation.assertion import VerifiedAssertion
from remit.identity.federation.claims import Need
from remit.identity.federation.conditions import Condition, check_condition
from remit.identity.federation.errors import AssertionRejected, RuleProvesNothing, RuleUnfit
from remit.identity.federation.profiles import Profile, ProfileName
from remit.identity.federation.trust import TrustedIssuer, TrustRule, TrustState

MOST_CONDITIONS = 16


def check_rule(conditions: Sequence[Condition], issuer: TrustedIssuer) -> None:
    """Refuse conditions that prove nothing, or that the claims table does not admit.

    Raises `RuleProvesNothing` or `RuleUnfit`.
    """
    profile = issuer.kind
    named = [each.claim for each in conditions]
    if len(named) > MOST_CONDITIONS or len(set(named)) != len(named):
        raise RuleUnfit(f"a rule has at most {MOST_CONDITIONS} conditions, one per claim")
    for each in conditions:
        _check_named(each, profile)
    if not profile.proves(frozenset(named)):
        wanted = ", or ".join(" and ".join(f"`{name}`" for name in sorted(proof)) for proof in profile.ways)
        raise RuleProvesNothing(
            f"without a condition on {wanted}, whoever `{issuer.issuer}` serves would be this agent"
        )
    _check_domain(conditions, issuer)


def match(assertion: VerifiedAssertion, rules: Sequence[TrustRule]) -> TrustRule:
    """The rule that an assertion fulfils; several are one only if they name the same agent.

    Raises `AssertionRejected` at step 8 if none, or several for different agents: we never choose.
    """
    found = [rule for rule in rules if rule.state is TrustState.ACTIVE and fulfils(assertion, rule)]
    if not found:
        raise AssertionRejected(8, "no_rule", debug=assertion.subject)
    if len({rule.agent for rule in found}) > 1:
        raise AssertionRejected(8, "rule_ambiguous", debug=", ".join(sorted(rule.id for rule in found)))
    return min(found, key=lambda rule: rule.id)


def fulfils(assertion: VerifiedAssertion, rule: TrustRule) -> bool:
    """Whether every condition holds, and no guarded value is there that the rule does not ask for.

    SAFETY: no condition at all fulfils nothing, whatever was stored.
    """
    named = {condition.claim for condition in rule.conditions}
    if not named or any(
        guard.claim not in named and assertion.text(guard.claim) in guard.values
        for guard in assertion.issuer.kind.guards
    ):
        return False
    return all(condition.holds(assertion.text(condition.claim)) for condition in rule.conditions)


def _check_named(condition: Condition, profile: Profile) -> None:
    row = profile.row(condition.claim)
    if row is None or row.need is Need.IGNORED:
        known = ", ".join(row.name for row in profile.table if row.need is not Need.IGNORED)
        raise RuleUnfit(
            f"`{condition.claim}` proves nothing for `{profile.name}`; claims that do: {known}",
            next_step=f"remit issuer claims {profile.name}",
        )
    check_condition(condition, row)


def _check_domain(conditions: Sequence[Condition], issuer: TrustedIssuer) -> None:
    """A rule of a trust domain can only be about that one."""
    if issuer.profile is not ProfileName.SPIFFE:
        return
    subject = next(each.pattern for each in conditions if each.claim == "sub")
    if not subject.startswith(f"{issuer.issuer}/"):
        raise RuleUnfit(f"`{subject}` lies outside `{issuer.issuer}`")
