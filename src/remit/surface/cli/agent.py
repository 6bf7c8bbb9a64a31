"""`remit agent`: who acts, owned by whom, in which state."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, YesOption, duration, group
from remit.surface.cli.principal import NameArgument, ReasonOption, add_verbs, confirm
from remit.surface.cli.render import Output, show, table, visible

app = group("Agents: who acts, owned by whom, in which state.")
add_verbs(app, noun="agent", plural="agents")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name: a DNS label.")],
    *,
    purpose: Annotated[str, typer.Option("--purpose", help="What it is for.")],
    environment: Annotated[str, typer.Option("--environment", help="development, staging or production.")],
    blueprint: Annotated[str, typer.Option("--blueprint", help="What it is made from.")],
    owner: Annotated[str | None, typer.Option("--owner", help="Who answers for it; absent: you.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Where its first key is written.")] = None,
    federated: Annotated[
        bool, typer.Option("--federated", help="Make no key: its runtime vouches for it (`agent init`).")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Register an agent, make its first instance with a new key, and activate it. No secret leaves here."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s
    from remit.surface.cli.devicekey import make_key  # noqa: PLC0415 — as above

    path = key or Path(f"{name}.key")
    if path.exists():
        raise Misused(f"`{path}` exists already", next_step=f"remit agent new {name} --key OTHER")
    stated: dict[str, Any] = {
        "name": name,
        "purpose": purpose,
        "environment": environment,
        "blueprint": blueprint,
    }
    with Client.open() as client:
        agent = client.post("/agents", stated | ({"owner": owner} if owner else {}))
        if federated:
            said = f"created {agent['id']} ({agent['state']}); it has no key and needs none"
            show(
                {"agent": agent}, output=output, lines=[said], hint=f"remit agent init {name} --target TARGET"
            )
            return
        made = make_key()
        instance = client.post(f"/agents/{agent['id']}/instances", {"jwk": made.jwk})
        made.write(path, principal=instance["instance"]["id"], kid=instance["key"]["id"])
        active = client.post(f"/agents/{agent['id']}/activate")
    lines = [
        f"created {active['id']} ({active['state']}); key in {path}; no secret issued",
        f"instance {instance['instance']['id']}",
        f"spiffe   {instance['spiffe_id']}",
    ]
    shown = {"agent": active, "instance": instance, "key_file": str(path)}
    show(shown, output=output, lines=lines, hint=f"remit agent limit {name} ceiling.json")


@app.command()
def limit(
    name: NameArgument,
    ceiling: Annotated[Path, typer.Argument(help="Ceiling as JSON: rights, start, end, purpose, …")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set the most that an agent may ever do."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.put(f"/agents/{name}/ceiling", read_json(ceiling))
    show(found, output=output, lines=[f"ceiling of {found['name']} is set"])


@app.command()
def drift(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show where an agent differs from its blueprint."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/agents/{name}/drift")
    lines = table(found, ("field", "blueprint", "agent")) if found else [f"{name} is as its blueprint says"]
    show(found, output=output, lines=lines)


@app.command()
def access(
    name: NameArgument,
    *,
    unused: Annotated[str, typer.Option(help="From how many days without a use on: 30d, 90d.")] = "30d",
    output: OutputOption = Output.TABLE,
) -> None:
    """Show each right of an agent with its use: used, periodic, unused, never used."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    days = max(1, duration(unused, command="remit agent access").days)
    with Client.open() as client:
        found = client.get(f"/agents/{name}/access", days=days)
    idle = sum(each["verdict"] in {"unused", "never used"} for each in found["rights"])
    used = sum(each["verdict"] == "used" for each in found["rights"])
    lines = [visible(_right_line(each)) for each in found["rights"]]
    summary = f"used in {days} d: {used} of {len(found['rights'])} rights; {idle} are used by nothing"
    hint = f"remit policy learn --agent {name}" if idle else ""
    show(found, output=output, lines=[*lines, summary], hint=hint)


def _right_line(each: dict[str, Any]) -> str:
    right = each["right"]
    named = right.get("resources", [])
    where = "any" if right.get("any") else f"{', '.join(named[:3])}{' …' if len(named) > 3 else ''}"  # noqa: PLR2004 — as many as a line holds
    calls = f"{each['uses']:,} call{'' if each['uses'] == 1 else 's'}"
    last = f"{calls}, last {each['last'][:10]}" if each["last"] else "no call on record"
    rhythm = f", {each['rhythm']}, next by {each['due']}" if each["verdict"] == "periodic" else ""
    rest = len(each["unused_resources"])
    partly = f", {rest} of its resources untouched" if rest else ""
    cited = f"  {each['examples'][-1]}" if each["examples"] else ""
    return (
        f"{each['verdict']:<10}  {right['action']} on {right['resource_type']} {where}: "
        f"{last}{rhythm}{partly}{cited}"
    )


@app.command()
def init(
    name: NameArgument,
    *,
    target: Annotated[
        str,
        typer.Option(
            "--target", help="kubernetes, github-actions, gitlab, aws, gcp, azure, spiffe or local."
        ),
    ],
    replaces: Annotated[
        str,
        typer.Option("--replaces", help="What it had: file, env, ci-secret, kubernetes-secret or cloud-key."),
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Print the set-up of an agent for its runtime: no secret in it, only who vouches for the workload."""
    from remit.surface.cli.client import Place  # noqa: PLC0415 — as above
    from remit.surface.cli.targets import ending_of, program_of, setup_of  # noqa: PLC0415 — as above

    issuer = Place.find(os.environ).server.issuer
    made, last = setup_of(target, name=name, issuer=issuer), ending_of(replaces, name=name)
    shown = {"agent": name, "target": target, "once": made.once, "file": made.file, "text": made.text}
    shown["program"] = program_of()
    once = ["# once, as an administrator", *made.once.splitlines(), ""]
    after = ["", "# when it runs so: end what it had", *last.splitlines()] if last else []
    program = ["", "# agent.py, the same for every target", *program_of().splitlines()]
    lines = [*once, f"# {made.file}", *made.text.splitlines(), *program, *after]
    show(shown | ({"after": last} if last else {}), output=output, lines=lines)


@app.command()
def secrets(*, output: OutputOption = Output.TABLE) -> None:
    """Tell how many agents need no secret, and which still have a key without an end."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/secretless")
    said = (
        f"{found['secretless']} of {found['agents']} active agents need no secret ({found['share']:.0%})"
        if found["agents"]
        else "no agent is active yet"
    )
    lines = [said, *(table(found["lasting"], ("id", "name", "owner")) if found["lasting"] else [])]
    first = found["lasting"][0]["name"] if found["lasting"] else ""
    show(found, output=output, lines=lines, hint=f"remit agent init {first} --target TARGET" if first else "")


@app.command()
def unkey(
    name: NameArgument,
    *,
    reason: ReasonOption = "secretless now",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Revoke every key of an agent that has no end of its own; those that a platform vouches for go on."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"every lasting key of {name} is dead at once", f"remit agent unkey {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/agents/{name}/unkey", {"reason": reason})
    show(found, output=output, lines=[f"{len(found)} keys of {name} are revoked"])


@app.command()
def join(
    *,
    assertion: Annotated[str, typer.Option("--assertion", help="File of the assertion; `-` is stdin.")],
    key: Annotated[Path, typer.Option("--key", help="Where the new key is written; then set REMIT_KEY.")],
    svid: Annotated[bool, typer.Option("--svid", help="It is a JWT-SVID.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Become an instance, inside the workload: show what the platform vouches, keep a key made here."""
    from remit.surface.cli.joining import join as send  # noqa: PLC0415 — as above
    from remit.surface.cli.joining import read_text  # noqa: PLC0415 — as above

    done = send(read_text(assertion), svid=svid, key=key)
    shown = {
        "instance": done.instance,
        "spiffe_id": done.spiffe_id,
        "ends_at": done.ends_at.isoformat(),
        "key_file": str(key),
    }
    lines = [f"instance {done.instance}; key in {key}, until {done.ends_at:%H:%M:%S} UTC", done.spiffe_id]
    show(shown, output=output, lines=lines, hint=f"export REMIT_KEY={key}")


@app.command()
def svid(
    *,
    audience: Annotated[list[str], typer.Option("--audience", help="For whom it is; may be repeated.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Print a JWT-SVID of the instance whose key REMIT_KEY names, for other SPIFFE workloads."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post("/svids", {"audience": audience})
    show(found, output=output, lines=[found["svid"]])


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a file that the operator named."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as broken:
        raise Misused(f"`{path}` cannot be read as JSON", next_step="name another file") from broken
    if not isinstance(found, dict):
        raise Misused(f"`{path}` holds no JSON object", next_step="name another file")
    return found
