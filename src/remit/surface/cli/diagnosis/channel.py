"""`remit doctor channel`: whether people can be told, by what the server itself has met on the way."""

from collections.abc import Iterator
from typing import Any

from remit.surface.cli.diagnosis.finding import Finding, either, ill, well
from remit.surface.cli.render import visible


def steps(name: str) -> Iterator[Finding]:
    """Each channel, then what was lost."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as everywhere in the command line

    with Client.open() as client:
        found = client.get("/channels")
        chosen = [each for each in found["channels"] if not name or each["name"] == name]
        if name and not chosen:
            yield ill(name, "no channel of that name", "remit channel list")
            return
        if not chosen:
            yield ill("channels", "there is none: nobody is told of anything", "remit channel add --help")
        for each in chosen:
            yield _channel(each)
        if not name:
            yield _lost(found["messages"])


def _channel(each: dict[str, Any]) -> Finding:
    """By its last try; one that never carried anything is no fault, and is said."""
    name, kind = each["name"], each["kind"]
    if each["state"] != "active":
        return ill(name, f"{kind} is suspended", f"remit channel resume {name}")
    if not each["well"]:
        told = f"{kind}: {each['failures']} failures in a row, the last: {visible(each.get('why', ''))}"
        return ill(name, told, f"remit channel test {name}")
    last = str(each.get("succeeded_at", ""))[:19].replace("T", " ")
    return well(name, f"{kind}: last carried something {last} UTC" if last else f"{kind}: nothing sent yet")


def _lost(messages: dict[str, int]) -> Finding:
    dead, unreachable = messages.get("dead", 0), messages.get("unreachable", 0)
    return either(
        "messages",
        ok=not dead and not unreachable,
        well=f"{messages.get('delivered', 0)} delivered, none lost",
        ill=f"{dead} dead, {unreachable} to people without any channel",
        fix=f"remit channel messages --state {'dead' if dead else 'unreachable'}",
    )
