"""`remit delegation`: who handed what to whom, narrowed how; and the consents that it stands on."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.agent import read_json
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, show, visible

app = group("Delegation chains: who handed what to whom, narrowed how.")


@app.command("show")
def show_(
    subject: Annotated[str, typer.Argument(help="Task (`tsk_…`) or decision (`dec_…`).")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the chains of a task, hop by hop."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        task = client.get(f"/decisions/{subject}")["task"] if subject.startswith("dec_") else subject
        found = client.get(f"/tasks/{task}/delegations")
        whom = client.get(f"/tasks/{task}")
    lines = [line for each in found for line in _lines(each, str(whom.get("user") or whom.get("trigger")))]
    show(found, output=output, lines=lines, hint=f"remit task show {task}")


@app.command()
def give(
    agent: Annotated[str, typer.Argument(help="Agent, by name or id.")],
    ceiling: Annotated[Path, typer.Argument(help="Ceiling as JSON: rights, start, end, purpose, …")],
    *,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let an agent act for you, within a ceiling; the sentence that you confirm goes on record."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    stated = read_json(ceiling)
    text = _sentence(agent, stated)
    confirm(text, f"remit delegation give {agent} {ceiling}", yes=yes)
    with Client.open() as client:
        found = client.post("/grants", {"agent": agent, "ceiling": stated, "text": text})
    show(found, output=output, lines=[f"consent {found['id']} is given"], hint="remit delegation list")


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List your consents, withdrawn ones too."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        show(client.get("/grants"), output=output, columns=("id", "state", "agent", "text"))


@app.command()
def withdraw(
    grant: Annotated[str, typer.Argument(help="Id of the consent (`gra_…`).")],
    *,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a consent back; every task on it ends now."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"every task on {grant} ends", f"remit delegation withdraw {grant}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/grants/{grant}/withdraw")
    show(found, output=output, lines=[f"consent {found['id']} is {found['state']}"])


def _lines(found: dict[str, Any], origin: str) -> list[str]:
    chain = " → ".join([origin, found["first"], *(hop["to"] for hop in found["hops"])])
    lines = [visible(f"{chain}   until {found['expires_at']}")]
    lines += [
        visible(f"  hop {number}  {hop['kind']}  {hop['made']}  {_rights(hop['ceiling'])}")
        for number, hop in enumerate(found["hops"], start=1)
    ]
    return lines


def _sentence(agent: str, ceiling: dict[str, Any]) -> str:
    purpose = ceiling.get("purpose", "")
    return f"{agent} may, for me and for `{purpose}`, until {ceiling.get('end', '')}: {_rights(ceiling)}"


def _rights(ceiling: dict[str, Any]) -> str:
    return "; ".join(_right(right) for right in ceiling.get("rights", []))


def _right(right: dict[str, Any]) -> str:
    where = f"any {right['resource_type']}" if right.get("any") else ", ".join(right.get("resources", []))
    bounds = [
        f"{bound['pointer']}"
        + (f" ≥ {bound['at_least']}" if bound.get("at_least") else "")
        + (f" ≤ {bound['at_most']}" if bound.get("at_most") else "")
        + (f" in {', '.join(bound['one_of'])}" if bound.get("one_of") else "")
        for bound in right.get("constraints", [])
    ]
    return f"{right['action']} on {where}" + (f" with {', '.join(bounds)}" if bounds else "")
