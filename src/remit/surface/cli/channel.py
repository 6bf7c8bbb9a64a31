"""`remit channel`: how people are reached, in which order, and what became of each message."""

from typing import Annotated, Any, Final

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption, group
from remit.surface.cli.principal import confirm
from remit.surface.cli.provider import secret_from_stdin
from remit.surface.cli.render import Output, coloured, details, show, visible

app = group("Channels by which people are reached, and what became of each message.")
ChannelArgument = Annotated[str, typer.Argument(help="Name of the channel.")]
MessageArgument = Annotated[str, typer.Argument(help="Id of the message (`msg_…`).")]
PersonArgument = Annotated[str, typer.Argument(help="Name or id of the person.")]
_COLUMNS: Final = ("name", "kind", "state", "health", "last_success", "host")
_MESSAGES: Final = ("id", "state", "topic", "person_name", "channel", "stated_at")


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List the channels with their health, and how many messages are in which state."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/channels")
    if output is not Output.TABLE:
        show(found, output=output)
        return
    rows = [{**each, "health": _health(each), "last_success": _when(each)} for each in found["channels"]]
    show(rows, output=output, columns=_COLUMNS)
    counts = found["messages"]
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none so far"
    lost = next((state for state in ("dead", "unreachable") if counts.get(state)), "")
    hint = f"remit channel messages --state {lost}" if lost else ""
    show({}, output=output, lines=[f"messages: {told}"], hint=hint if rows else "remit channel add --help")


@app.command("show")
def show_(name: ChannelArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one channel: where it leads, and how it has done lately."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/channels/{name}")
    show(found, output=output, lines=details(found), hint=f"remit channel test {name}")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name: a-z, 0-9 and `-`.")],
    kind: Annotated[str, typer.Argument(help="web_push, mail, sms, slack, teams, webhook.")],
    *,
    url: Annotated[
        str,
        typer.Option(
            "--url", help="Mail: smtps://HOST or smtp://HOST (STARTTLS). Others: the https address."
        ),
    ] = "",
    sender: Annotated[
        str, typer.Option("--from", help="Mail: address. SMS: number. Web Push: mailto: contact.")
    ] = "",
    account: Annotated[
        str, typer.Option("--account", help="Mail: user name. SMS: account id at the provider.")
    ] = "",
    agent: Annotated[
        str, typer.Option("--agent", help="Webhook: tell this agent what became of its asks.")
    ] = "",
    answers: Annotated[
        bool, typer.Option("--answers", help="Slack: buttons on what can be taken back.")
    ] = False,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read password or signing secret from standard input.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set a channel up; try it with `remit channel test`."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    body: dict[str, Any] = {
        "name": name, "kind": kind, "url": url, "sender": sender, "account": account, "agent": agent,
        "answers": answers,
    }  # fmt: skip
    if secret_stdin:
        body["secret"] = secret_from_stdin("remit channel add")
    with Client.open() as client:
        found = client.post("/channels", body)
    show(found, output=output, lines=_set_up(found), hint=f"remit channel test {name}")


@app.command("test")
def try_out(
    name: ChannelArgument,
    *,
    to: Annotated[
        str, typer.Option("--to", help="Address: mail, number, Slack member; absent: you yourself.")
    ] = "",
    person: Annotated[str, typer.Option("--person", help="Somebody else, by name or id.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Send one test through a channel now, and say what the other side said."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/channels/{name}/test", {"address": to, "person": person})
    handed = found["receipt"] == "handed"
    told = "was taken; look whether it arrived" if handed else "was delivered"
    show(found, output=output, lines=[f"{coloured('ok')}  the test {told}"])


@app.command()
def rotate(
    name: ChannelArgument,
    *,
    url: Annotated[str, typer.Option("--url", help="Slack, Teams: the new address.")] = "",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the new secret from standard input.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put another secret in its place; a webhook's is made here, and the old one goes on for a day."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    body = {"url": url, "secret": secret_from_stdin("remit channel rotate") if secret_stdin else ""}
    with Client.open() as client:
        found = client.post(f"/channels/{name}/rotate", body)
    show(found, output=output, lines=_set_up(found), hint=f"remit channel test {name}")


@app.command()
def suspend(name: ChannelArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """Send nothing through a channel for now; the next in each person's order takes its place."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"nobody is told anything by {name}", f"remit channel suspend {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/channels/{name}/suspend")
    show(
        found,
        output=output,
        lines=[f"{name} is {coloured('suspended')}"],
        hint=f"remit channel resume {name}",
    )


@app.command()
def resume(name: ChannelArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Send through a channel again."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/channels/{name}/resume")
    show(found, output=output, lines=[f"{name} is {coloured('active')}"])


@app.command()
def remove(name: ChannelArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """Forget a channel with its secrets."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"{name} and its secrets are forgotten", f"remit channel remove {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/channels/{name}/remove")
    show(found, output=output, lines=[f"{name} is gone; {found['named_by']} people's orders named it"])


@app.command()
def reach(
    person: PersonArgument,
    ways: Annotated[
        list[str] | None, typer.Argument(help="CHANNEL or CHANNEL=ADDRESS, first to last; none: show.")
    ] = None,
    *,
    usual: Annotated[bool, typer.Option("--usual", help="Back to browsers first, then mail.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show or set in which order a person is reached."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    if ways and usual:
        raise Misused("say an order or `--usual`, not both", next_step="remit channel reach --help")
    with Client.open() as client:
        if ways or usual:
            routes = [
                dict(zip(("channel", "address"), each.partition("=")[::2], strict=True))
                for each in ways or []
            ]
            found = client.put(f"/users/{person}/reach", {"routes": routes})
        else:
            found = client.get(f"/users/{person}/reach")
    show(
        found,
        output=output,
        lines=_ways(found),
        hint="" if found["ways"] else f"remit channel reach {person} --help",
    )


@app.command()
def messages(
    *,
    state: Annotated[
        str,
        typer.Option(
            "--state",
            help="open, handed, delivered, unconfirmed, folded, unreachable, dead, over.",
        ),
    ] = "",
    person: Annotated[str, typer.Option("--person", help="Only to this person.")] = "",
    about: Annotated[str, typer.Option("--about", help="Only about this, such as `apr_…`.")] = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List what people were told, newest first; dead and unreachable ones are lost."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/messages", state=state, person=person, about=about, limit=limit, cursor=cursor)
    first = next((each["id"] for each in found["items"] if each["state"] in {"dead", "unreachable"}), "")
    hint = f"remit channel message {first}" if first else ""
    if not hint and found.get("next"):
        hint = f"remit channel messages --cursor {found['next']}"
    show(found, output=output, columns=_MESSAGES, hint=hint)


@app.command()
def message(ident: MessageArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one message with every try."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/messages/{ident}")
    lost = found["state"] in {"dead", "unreachable"}
    hints = {"unreachable": f"remit channel reach {found['person']}", "dead": f"remit channel retry {ident}"}
    show(found, output=output, lines=_message(found), hint=hints[found["state"]] if lost else "")


@app.command()
def retry(ident: MessageArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Try a lost message from the start, once you have mended what kept it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/messages/{ident}/retry")
    show(found, output=output, lines=[f"{ident} is on its way again"], hint=f"remit channel message {ident}")


def _set_up(found: dict[str, Any]) -> list[str]:
    channel = found["channel"]
    lines = [
        f"{channel['name']} is set up: {channel['kind']}"
        + (f" to {channel['host']}" if channel.get("host") else "")
    ]
    if found.get("secret"):
        lines.append(f"secret, shown this once: {found['secret']}")
    return lines


def _health(each: dict[str, Any]) -> str:
    return "ok" if each["well"] else f"{each['failures']} failed: {each.get('why', '')}"


def _when(each: dict[str, Any]) -> str:
    return str(each.get("succeeded_at", "never"))


def _ways(found: dict[str, Any]) -> list[str]:
    if not found["ways"]:
        return ["nothing reaches this person: whoever asks them is told so at once"]
    whose = "set for this person" if found["chosen"] else "the order of the house"
    lines = [f"{whose}, first to last:"]
    for at, way in enumerate(found["ways"], start=1):
        where = way.get("address") or way.get("device", "")
        lines.append(f"  {at}. {way['channel']}" + (f"  {visible(where)}" if where else ""))
    return lines


def _message(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{coloured(found['state'])}  {found['title']}",
        f"  to         {visible(found.get('person_name') or found['person'])}",
        f"  about      {found['about']}",
        f"  stated     {str(found['stated_at'])[:19].replace('T', ' ')} UTC",
    ]
    for each in found.get("attempts", []):
        why = f": {visible(each['why'])}" if each.get("why") else ""
        lines.append(f"  {str(each['at'])[11:19]}   {each['channel']}  {each['result']}{why}")
    return lines
