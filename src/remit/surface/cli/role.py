"""`remit role`: who may administer, by which rule, and who rules on that."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption, group
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, coloured, show, visible

app = group("Roles: who may administer, by which rule; give, take, publish other rules.")
RoleArgument = Annotated[str, typer.Argument(help="Role, as in `security`.")]
UserArgument = Annotated[str, typer.Argument(help="A person, by address or id.")]
FileArgument = Annotated[Path, typer.Argument(help="A Cedar file with the whole administrative policy.")]


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List roles, the rules that name them, and how many people hold each."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/roles")
    rows = [
        {
            "role": each["name"],
            "people": len(each["holders"]),
            "rules": ", ".join(rule["id"] for rule in each["rules"]),
            "what": "; ".join(rule.get("reason", "") for rule in each["rules"]),
        }
        for each in found
    ]
    shown: Any = found if output is not Output.TABLE else {"items": rows}
    show(shown, output=output, columns=("role", "people", "rules", "what"), hint="remit role show ROLE")


@app.command("show")
def show_(role: RoleArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one role: its rules, and who holds it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/roles/{role}")
    rules = [f"  rule   {each['id']}  {visible(each.get('reason', ''))}" for each in found["rules"]]
    holders = [f"  held   {visible(each['name'])} ({each['state']})" for each in found["holders"]]
    lines = [found["name"], *rules, *(holders or ["  held   by nobody"])]
    show(found, output=output, lines=lines, hint=f"remit role grant {role} user@company.com")


@app.command()
def grant(role: RoleArgument, user: UserArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Give a person a role."""
    _change("grant", role, user, output)


@app.command()
def revoke(
    role: RoleArgument, user: UserArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE
) -> None:
    """Take a role from a person; the last who administers keeps theirs."""
    confirm(f"{user} no longer holds {role}", f"remit role revoke {role} {user}", yes=yes)
    _change("revoke", role, user, output)


@app.command()
def text(
    version: Annotated[str, typer.Argument(help="Number; 0 is what is shipped.")] = "current",
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the administrative policy, to keep in a file and edit."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    path = "/administration" if version == "current" else f"/administration/versions/{version}"
    with Client.open() as client:
        found = client.get(path)
    lines = [f"// version {found['version']}", *map(visible, str(found["text"]).splitlines())]
    show(found, output=output, lines=lines)


@app.command()
def history(
    *, limit: LimitOption = 20, cursor: CursorOption = "", output: OutputOption = Output.TABLE
) -> None:
    """List published versions, newest first."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/administration/versions", limit=limit, cursor=cursor)
    show(
        found,
        output=output,
        columns=("version", "published_at", "published_by", "digest"),
        hint="remit role text VERSION",
    )


@app.command()
def check(file: FileArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Say everything that publishing would find wrong. Exit: 0 good, 1 not."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post("/administration/check", {"text": _read(file)})
    good = found["good"]
    hint = f"remit role publish {file} --over VERSION" if good else f"mend it, then remit role check {file}"
    show(found, output=output, lines=[_fault(each) for each in found["faults"]] or ["good"], hint=hint)
    raise typer.Exit(Exit.DONE if good else Exit.FAILED)


@app.command()
def publish(
    file: FileArgument,
    *,
    over: Annotated[int, typer.Option("--over", help="The version that you edited; 0 is what is shipped.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a whole administrative policy in force; refused if nobody could administer under it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post("/administration", {"text": _read(file), "over": over})
    show(
        found,
        output=output,
        lines=[f"version {found['version']} is {coloured('in force')}  {found['digest']}"],
        hint="remit role list",
    )


@app.command()
def actions(
    noun: Annotated[str, typer.Argument(help="Only those about this, as in `policy`.")] = "",
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """List everything that can be done here, as rules name it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/administration/actions")
    wanted = [each for each in found if not noun or each["action"].startswith(f"admin/{noun}.")]
    rows = [{**each, "groups": ", ".join(each["groups"])} for each in wanted]
    shown: Any = wanted if output is not Output.TABLE else {"items": rows}
    show(shown, output=output, columns=("action", "changes", "groups"), hint="remit can user:ADDRESS ACTION")


def may(user: str, action: str, output: Output) -> bool:
    """Ask whether a person may do something here, and print the answer."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post("/administration/may", {"user": user, "action": action})
    if found["everything"]:
        said = f"{coloured('permit')}  {visible(found['name'])} may {action}"
    elif found["own"]:
        said = f"{coloured('permit')}  {visible(found['name'])} may {action}, to what is their own"
    else:
        said = f"{coloured('deny')}  {visible(found['name'])} may not {action}"
    lines = [said, *(f"  rule   {each}" for each in found["rules"])]
    if found["because"]:
        lines.append(f"  why    {visible(found['because'])}")
    show(found, output=output, lines=lines, hint="" if found["own"] else "remit role list")
    return bool(found["own"])


def _change(verb: str, role: str, user: str, output: Output) -> None:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/roles/{role}/{verb}", {"user": user})
    held = ", ".join(found["roles"]) or "no role"
    show(
        found, output=output, lines=[f"{visible(found['name'])} holds {held}"], hint=f"remit role show {role}"
    )


def _read(file: Path) -> str:
    from remit.surface.cli.sources import Sources  # noqa: PLC0415 — as above

    return Sources.read([file]).text


def _fault(found: dict[str, Any]) -> str:
    place = f" (line {found['line']}, column {found['column']})" if found.get("line") else ""
    hint = f"; {found['hint']}" if found.get("hint") else ""
    return visible(f"rule {found['rule']}: {found['sentence']}{place}{hint}")
