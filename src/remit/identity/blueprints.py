"""Agents come from blueprints: what a blueprint fixes, and where an agent has drifted from it (R109)."""

from dataclasses import dataclass

from remit.identity.principals import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One field in which an agent is no longer what its blueprint says."""

    field: str
    blueprint: str
    agent: str


def drift(agent: Principal, blueprint: Principal) -> tuple[Drift, ...]:
    """Compare an agent with its blueprint.

    A blueprint fixes the environment and each attribute that it states, and bounds the segments; purpose,
    name and owner are the agent's own.
    """
    return (*_environment(agent, blueprint), *_segments(agent, blueprint), *_attributes(agent, blueprint))


def _environment(agent: Principal, blueprint: Principal) -> tuple[Drift, ...]:
    if blueprint.environment is None or agent.environment is blueprint.environment:
        return ()
    return (Drift(field="environment", blueprint=blueprint.environment, agent=agent.environment or ""),)


def _segments(agent: Principal, blueprint: Principal) -> tuple[Drift, ...]:
    if agent.segments <= blueprint.segments:
        return ()
    wide, narrow = " ".join(sorted(agent.segments)), " ".join(sorted(blueprint.segments))
    return (Drift(field="segments", blueprint=narrow, agent=wide),)


def _attributes(agent: Principal, blueprint: Principal) -> tuple[Drift, ...]:
    own = dict(agent.attributes)
    return tuple(
        Drift(field=f"attributes.{name}", blueprint=fixed, agent=own.get(name, ""))
        for name, fixed in blueprint.attributes
        if own.get(name) != fixed
    )
