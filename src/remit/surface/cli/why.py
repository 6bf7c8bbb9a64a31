"""`remit why dec_…`: one decision, stage by stage, as it was made."""

from typing import Annotated, Any

import typer

from remit.surface.cli.explained import explained
from remit.surface.cli.options import OutputOption, word
from remit.surface.cli.render import Output, show

app = word("Explain one decision: every stage, nearest miss, remedy.")


@app.command()
def why(
    decision: Annotated[str, typer.Argument(help="Id of the decision (`dec_…`).")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Explain one decision: every stage, nearest miss, remedy."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found: dict[str, Any] = client.get(f"/decisions/{decision}")
    hint = f"remit approval show {found['approval']}" if found.get("approval") else ""
    show(found, output=output, lines=explained(found), hint=hint)
