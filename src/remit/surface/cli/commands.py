"""Every command by name: where it lives and what it does, in one line that costs no import."""

from typing import Final, NamedTuple


class Entry(NamedTuple):
    """One word after `remit`: the module that holds it (its `app`), and its line of help."""

    module: str
    help: str


FIRST: Final[dict[str, Entry]] = {
    "up": Entry("up", "Start the server and keep serving."),
    "dev": Entry("dev", "Start the server and answer approvals in this terminal."),
    "doctor": Entry("doctor", "Check installation, settings, server and clock; name the step that fails."),
    "why": Entry("why", "Explain one decision: every stage, nearest miss, remedy."),
    "can": Entry("can", "Ask what a call would be answered, without making it."),
    "kill": Entry("kill", "Stop an agent, workload, task, user, blueprint or tool everywhere at once."),
    "apply": Entry("apply", "Make the installation match a file; plan first."),
    "backup": Entry("backup", "Copy the store while the server runs, without the key that opens it."),
    "restore": Entry("restore", "Put a backup in place of a store that is gone; verify it first."),
}
"""Bare words: first hour, emergency, operations."""

NOUNS: Final[dict[str, Entry]] = {
    "agent": Entry("agent", "Agents: who acts, owned by whom, in which state."),
    "blueprint": Entry("blueprint", "Blueprints that agents are minted from, and drift from them."),
    "user": Entry("user", "People: owners, approvers, administrators."),
    "role": Entry("role", "Roles: who may administer, by which rule; give, take, publish other rules."),
    "change": Entry("change", "Changes that take two: what waits for a second person."),
    "client": Entry("oauth_client", "Clients that people sign in with: register, list, revoke."),
    "server": Entry("server", "MCP servers behind the gateway."),
    "tool": Entry("tool", "Tools: pinned definitions, mappings, quarantine."),
    "task": Entry("task", "Tasks: one run of an agent, for whom, until when."),
    "policy": Entry("policy", "Policies: check, test, compare, publish, list."),
    "relation": Entry("relation", "Relations: who is related to what, and what tools may demand of that."),
    "risk": Entry("risk", "Risk: how risky calls are, from what, and what others say of it."),
    "decision": Entry("decision", "Decisions on record."),
    "delegation": Entry("delegation", "Delegation chains: who handed what to whom, narrowed how."),
    "approval": Entry("approval", "Asks that wait for a person, and their answers."),
    "case": Entry("case", "Cases: what agents ask people inside their tasks, and the answers."),
    "oncall": Entry("oncall", "Who is on call, from when until when."),
    "breakglass": Entry("breakglass", "Break glass: rules lifted for a short while by two persons."),
    "channel": Entry("channel", "Channels by which people are reached, and what became of each message."),
    "provider": Entry("provider", "Services that agents' calls may need a credential of."),
    "connection": Entry("connection", "Credentials of other services, each for one person and one agent."),
    "issuer": Entry("issuer", "Issuers whose word about workloads is taken: SPIFFE, CI, clouds."),
    "domain": Entry("domain", "Other authorization servers: whose grants count, who may go there."),
    "tenant": Entry("tenant", "Tenants: who shares this installation, apart from each other."),
    "idp": Entry("idp", "Identity providers that people sign in with: Okta, Entra, Keycloak, …"),
    "ledger": Entry("ledger", "The log of record: search, export, verify offline."),
    "key": Entry("key", "Signing keys of this installation: list, rotate."),
}
"""`remit <noun> <verb>`, singular."""
