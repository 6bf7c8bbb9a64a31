"""`remit ledger follow`: the log as it happens, taken up again behind the last event after every break."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from remit.surface.cli.failures import Refused, Unreachable
from remit.surface.cli.options import OutputOption
from remit.surface.cli.render import Output, coloured, say, visible, yaml

_PAUSE_SECONDS: Final = 1.0
_FORBIDDEN: Final = "stream_forbidden"


def follow(
    *,
    after: Annotated[
        str, typer.Option("--after", help="Place of the last event seen; 0 begins with the first record.")
    ] = "",
    kind: Annotated[
        str, typer.Option("--kind", help="Only this kind, or kinds that begin so: `decision`.")
    ] = "",
    agent: Annotated[str, typer.Option("--agent", help="Only this agent, by name or id.")] = "",
    task: Annotated[str, typer.Option("--task", help="Only this task.")] = "",
    count: Annotated[int, typer.Option("--count", min=0, help="End after so many events; 0 never ends.")] = 0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print each record as it is committed; JSON is one event a line. Resumes by itself until Ctrl-C."""
    place, seen, begun = after, 0, False
    while True:
        try:
            for reached, event in _events(place, kind=kind, agent=agent, task=task):
                place, begun = reached, True
                if event is None:
                    continue
                _show(place, event, output)
                seen += 1
                if seen == count:
                    return
        except Unreachable as gone:
            if not begun:
                raise
            say(f"waiting: {gone.hint}", to=sys.stderr)
        time.sleep(_PAUSE_SECONDS)


def _events(place: str, *, kind: str, agent: str, task: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Places with their events, or without one where only the place moved; ends when the stream does."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        wanted = client.get(f"/agents/{agent}")["id"] if agent and "_" not in agent else agent
        path, name, data = "/stream", "", ""
        with client.follow(path, last_event=place, kind=kind, agent=wanted, task=task) as lines:
            for line in lines:
                field, _, value = line.partition(": ")
                if field == "id":
                    place = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif not line:
                    if name == "end":
                        _end(json.loads(data))
                        return
                    yield place, json.loads(data) if name == "record" else None
                    name = data = ""


def _end(said: dict[str, str]) -> None:
    """The server's last word; who may not read any more is told so, anybody else goes on."""
    if said["code"] == _FORBIDDEN:
        raise Refused(said["detail"], problem_code=said["code"], status=403, next_step=said["next"])


def _show(place: str, event: dict[str, Any], output: Output) -> None:
    match output:
        case Output.JSON:
            say(json.dumps({"offset": place, **event}))
        case Output.YAML:
            say(f"---\n{yaml({'offset': place, **event})}")
        case Output.TABLE:
            say(_line(event))
    sys.stdout.flush()


def _line(event: dict[str, Any]) -> str:
    word = event.get("outcome") or event.get("effect") or "-"
    about = " ".join(filter(None, (event.get("action"), event.get("resource")))) or event.get("subject", "")
    whom = f" for {event['user']}" if event.get("user") else ""
    at = f"{event['at'][:10]} {event['at'][11:19]}"
    codes = f"  [{', '.join(event['codes'])}]" if any(event.get("codes") or ()) else ""
    who = event.get("agent") or event.get("instance", "")
    return f"{at}  {coloured(word):<8}  " + visible(f"{event['kind']}  {about}  {who}{whom}{codes}")
