"""`remit relation`: who is related to what, and what tools may demand of that."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import Misused
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption, group
from remit.surface.cli.render import Output, show, visible

app = group("Relations: who is related to what, and what tools may demand of that.")
UserArgument = Annotated[str, typer.Argument(help="Who: user:ana, agent:support-bot, group:eng#member.")]
RelationArgument = Annotated[str, typer.Argument(help="Relation of the model: viewer, owner.")]
StoreOption = Annotated[
    str, typer.Option("--store", help="Id of a store; without it the one that decisions look into.")
]
_BATCH = 100
"""Tuples of one write."""


@app.command()
def check(
    user: UserArgument,
    relation: RelationArgument,
    object_: Annotated[str, typer.Argument(metavar="OBJECT", help="What: order:8812.")],
    *,
    store: StoreOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Say whether the user is related to the object, and how. Exit: 0 yes, 3 no, 5 it can't be said."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    stated = {"user": user, "relation": relation, "object": object_, "store": store}
    with Client.open() as client:
        found = client.post("/relations/check", stated)
    show(found, output=output, lines=[visible(_told(found, stated))])
    if not found["allowed"]:
        raise typer.Exit(Exit.DENIED if found["complete"] else Exit.INCOMPLETE)


@app.command("who-can")
def who_can(
    relation: RelationArgument,
    object_: Annotated[str, typer.Argument(metavar="OBJECT", help="What: order:8812.")],
    *,
    users: Annotated[str, typer.Option("--users", help="Which: a type, or type#relation.")] = "user",
    store: StoreOption = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List who is related to the object. Exit: 5 if some may lack."""
    stated = {"relation": relation, "object": object_, "users": users, "store": store}
    again = f"remit relation who-can {relation} {object_} --users {users}"
    _list("/relations/who-can", stated, again, limit=limit, cursor=cursor, output=output)


@app.command("what-can")
def what_can(
    user: UserArgument,
    relation: RelationArgument,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Type of the objects: order.")],
    *,
    store: StoreOption = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the objects of a type that the user is related to. Exit: 5 if some may lack."""
    stated = {"user": user, "relation": relation, "type": type_, "store": store}
    again = f"remit relation what-can {user} {relation} {type_}"
    _list("/relations/what-can", stated, again, limit=limit, cursor=cursor, output=output)


@app.command()
def write(
    tuples: Annotated[list[str] | None, typer.Argument(help="Tuples: order:8812#owner@user:ana.")] = None,
    *,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", help="A tuple to delete in the same step.")
    ] = None,
    store: StoreOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Write and delete tuples, all or none."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    stated = {
        "writes": [_parsed(each) for each in tuples or ()],
        "deletes": [_parsed(each) for each in delete or ()],
        "store": store,
    }
    with Client.open() as client:
        found = client.post("/relations/write", stated)
    show(found, output=output, lines=[f"{found['changed']} changed"])


@app.command()
def model(
    file: Annotated[
        Path | None, typer.Argument(help="The model in OpenFGA's DSL; without it, show it.")
    ] = None,
    *,
    store: StoreOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a model in use, or show the one in use."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        if file is None:
            found = client.get("/relations/model", **({"store": store} if store else {}))
            lines = [f"# model {found['model']}", *found["text"].splitlines()]
        else:
            found = client.post("/relations/model", {"text": _text(file), "store": store})
            lines = [f"model {found['model']} is in use"]
    show(found, output=output, lines=[visible(line) for line in lines])


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="A store file of OpenFGA (.fga.yaml), or its tuples (YAML, JSON).")
    ],
    *,
    store: StoreOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Take over a model and tuples; what is there already is passed over, so it can be run again."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    text, tuples = _read(file)
    changed = 0
    with Client.open() as client:
        if text:
            client.post("/relations/model", {"text": text, "store": store})
        for first in range(0, len(tuples), _BATCH):
            stated = {"writes": tuples[first : first + _BATCH], "lenient": True, "store": store}
            changed += int(client.post("/relations/write", stated)["changed"])
    found = {"model": bool(text), "tuples": len(tuples), "changed": changed}
    said = f"{len(tuples)} tuples read, {changed} written" + (", model in use" if text else "")
    show(found, output=output, lines=[said])


@app.command()
def stores(
    *, limit: LimitOption = 50, cursor: CursorOption = "", output: OutputOption = Output.TABLE
) -> None:
    """List stores, and which of them decisions look into."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/relations/stores", limit=limit, cursor=cursor)
    more = f"remit relation stores --cursor {found['next']}" if found.get("next") else ""
    hint = more or ("" if found["items"] else "remit relation new NAME")
    show(found, output=output, columns=("id", "name", "enforced", "updated_at"), hint=hint)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the store.")], *, output: OutputOption = Output.TABLE
) -> None:
    """Make a store, empty and without a model."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post("/relations/stores", {"name": name})
    show(found, output=output, lines=[f"created {found['id']}"], hint=f"remit relation enforce {found['id']}")


@app.command()
def enforce(
    store: Annotated[str, typer.Argument(help="Id of the store; `none` for none.")],
    *,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have decisions look into a store: tools that demand a relation are judged by it from now on."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    wanted = "" if store == "none" else store
    if not yes and not wanted:
        typer.confirm("Every tool that demands a relation will be denied. Go on?", abort=True)
    with Client.open() as client:
        found = client.put("/relations/enforced", {"store": wanted})
    said = f"decisions look into {wanted}" if wanted else "decisions look into no store"
    show(found, output=output, lines=[visible(said)])


def _told(found: Mapping[str, Any], asked: Mapping[str, str]) -> str:
    if found["allowed"]:
        return f"yes: {found['path']}" if found["path"] else "yes"
    if not found["complete"]:
        return f"it can't be said: {found['why']}"
    return f"no: {asked['user']} is not {asked['relation']} of {asked['object']}"


def _list(
    path: str, stated: Mapping[str, str], again: str, *, limit: int, cursor: str, output: Output
) -> None:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(path, {**stated, "limit": limit, "cursor": cursor})
    lines = [visible(each) for each in found["items"]] or ["nobody" if "who" in path else "nothing"]
    if not found["complete"]:
        lines.append(visible(f"incomplete: {found['why'] or 'a limit was reached'}"))
    flags = f" --store {stated['store']}" if stated["store"] else ""
    more = visible(f"{again}{flags} --cursor {found['next']}") if found["next"] else ""
    show(found, output=output, lines=lines, hint=more)
    if not found["complete"]:
        raise typer.Exit(Exit.INCOMPLETE)


def _parsed(text: str) -> dict[str, str]:
    thing, hash_, rest = text.partition("#")
    relation, at, user = rest.partition("@")
    if not hash_ or not at:
        raise Misused(
            f"`{text[:80]}` is no tuple", next_step="remit relation write order:8812#owner@user:ana"
        )
    return {"user": user, "relation": relation, "object": thing}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as unread:
        raise Misused(f"{file} can't be read", next_step="remit relation --help") from unread


def _read(file: Path) -> tuple[str, list[dict[str, Any]]]:
    """Model and tuples of a file: a store file, a list of tuples, or what OpenFGA's Read answers."""
    import yaml  # noqa: PLC0415 — as above

    try:
        found = yaml.safe_load(_text(file))
    except yaml.YAMLError as broken:
        raise Misused(
            f"{file} is neither YAML nor JSON", next_step="remit relation import --help"
        ) from broken
    whole = found if isinstance(found, dict) else {"tuples": found}
    model, tuples = whole.get("model", ""), whole.get("tuples") or []
    if "model_file" in whole:
        model = _text(file.parent / str(whole["model_file"]))
    if "tuple_file" in whole:
        tuples = [*tuples, *_read(file.parent / str(whole["tuple_file"]))[1]]
    if not isinstance(model, str) or not isinstance(tuples, list):
        raise Misused(f"{file} holds no model and no tuples", next_step="remit relation import --help")
    return model, list(_keys(file, tuples))


def _keys(file: Path, tuples: list[Any]) -> Iterator[dict[str, Any]]:
    for number, each in enumerate(tuples, start=1):
        key = each.get("key", each) if isinstance(each, dict) else None
        if not isinstance(key, dict) or not {"user", "relation", "object"} <= key.keys():
            raise Misused(
                f"{file}: tuple {number} has not user, relation and object",
                next_step="remit relation import --help",
            )
        kept = {name: key[name] for name in ("user", "relation", "object")}
        yield {**kept, "condition": key["condition"]} if key.get("condition") else kept
