"""`remit apply`: make the installation match a file. Nothing is ever deleted by it."""

from pathlib import Path
from typing import Annotated

import typer

from remit.surface.cli.options import OutputOption, word
from remit.surface.cli.render import Output, show

app = word("Make the installation match a file; plan first.")


@app.command()
def apply(
    *,
    file: Annotated[Path, typer.Option("--file", "-f", help="remit.toml or remit.json.")],
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would change.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the installation match a file: users, blueprints, agents, servers, tools, policy.

    Prints `+` for new, `~` for changed and `=` for unchanged things. A second apply changes nothing.
    """
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s
    from remit.surface.cli.desired import read_desired  # noqa: PLC0415 — as above
    from remit.surface.cli.plan import make_plan  # noqa: PLC0415 — as above

    desired = read_desired(file)
    with Client.open() as client:
        steps = []
        for step in make_plan(desired, client, folder=file.parent):
            # CRASH: each step is one operation of the API; a second apply goes on where this one stopped.
            if not plan and step.run is not None:
                step.run()
            steps.append(step)
    changes = [step for step in steps if step.mark != "="]
    lines = [
        f"{step.mark} {step.noun} {step.name}{f' ({step.detail})' if step.detail else ''}" for step in changes
    ]
    lines.append(f"= {len(steps) - len(changes)} unchanged")
    rows = [
        {"mark": each.mark, "noun": each.noun, "name": each.name, "detail": each.detail} for each in steps
    ]
    show(rows, output=output, lines=lines, hint=f"remit apply -f {file}" if plan and changes else "")
