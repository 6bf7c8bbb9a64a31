"""`remit ledger`: search, export, verify offline: that needs no server, only trusted keys."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import Misused
from remit.surface.cli.follow import follow
from remit.surface.cli.options import OutputOption, duration, group
from remit.surface.cli.render import Output, coloured, show, table, visible

app = group("The log of record: search, export, verify offline.")
PINNED: Final = "ledger.keys"
"""Keys of the log that this machine has seen at an export, in the data directory."""
app.command()(follow)


@app.command()
def search(
    ident: Annotated[str, typer.Argument(help="Any id, a token's id, or a resource `Type:id`.")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the records that name an id, in order of the log."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/ledger/records", mentions=ident)
    rows = [{"index": each["index"], **each["record"]} for each in found]
    lines = table(rows, ("index", "at", "kind", "actor", "effect"))
    show(found, output=output, lines=lines, hint=f"remit ledger who {ident}" if found else "")


@app.command()
def who(
    ident: Annotated[
        str, typer.Argument(help="A token, call, decision, approval, task, or a resource.")
    ] = "",
    *,
    since: Annotated[
        str | None, typer.Option("--since", help="Instead: all since 10m, 2h; a day at most.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Answer who did this, and who allowed it, back to the human's grant."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    if bool(ident) == bool(since):
        raise Misused("say either what it is about or `--since` when", next_step="remit ledger who --help")
    span = {} if since is None else _span(since)
    with Client.open() as client:
        found = client.get("/ledger/trace", of=ident, **span)
    show(found, output=output, lines=_told(found))


def _span(since: str) -> dict[str, str]:
    now = datetime.now(UTC)
    begun = now - duration(since, command="remit ledger who")
    return {"since": begun.isoformat(), "until": now.isoformat()}


@app.command()
def receipt(
    record: Annotated[str, typer.Argument(help="Id of the record (`rec_…`), or of a decision (`dec_…`).")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print the proof that a record, or a decision, is in the log (C2SP tlog-proof)."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/ledger/records/{record}/receipt")
    show(found, output=output, lines=str(found["receipt"]).splitlines())


@app.command()
def checkpoint(*, output: OutputOption = Output.TABLE) -> None:
    """Sign the present head and print it; kept elsewhere, it shows later truncation (`verify --held`)."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post("/ledger/checkpoint")
    show(found, output=output, lines=str(found["note"]).splitlines())


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Archive to write.")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write the whole log at a signed head into one archive, and remember the log's keys on this machine."""
    from remit.ledger.export import read_export, split_logs, unpack_archive  # noqa: PLC0415 — as above
    from remit.surface.cli.client import Client, data_directory  # noqa: PLC0415 — as above

    if file.exists():
        raise Misused(f"`{file}` exists already", next_step="remit ledger export OTHER.zip")
    with Client.open() as client:
        head = client.post("/ledger/checkpoint")
        archive = client.download("/ledger/export")
    file.write_bytes(archive)
    pinned = data_directory(os.environ) / PINNED
    pinned.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pinned.write_text("\n".join(head["keys"]) + "\n", encoding="utf-8")
    logs = [read_export(each).manifest for each in split_logs(unpack_archive(archive)).values()]
    size = sum(each.size for each in logs)
    shown = {
        "file": str(file),
        "bytes": len(archive),
        "size": size,
        "keys": head["keys"],
        "logs": {each.shard: each.size for each in logs},
    }
    show(
        shown,
        output=output,
        lines=[f"{file}: {size} records, {len(archive)} bytes", *head["keys"]],
        hint=f"remit ledger verify {file}",
    )


@app.command()
def verify(
    file: Annotated[
        Path, typer.Argument(help="An export (the archive, or the folder that it unpacks to), or a receipt.")
    ],
    *,
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="Trusted keys of the log, one a line (`name+id+key`).")
    ] = None,
    held: Annotated[
        list[Path] | None, typer.Option("--held", help="Checkpoints that you kept: they show truncation.")
    ] = None,
    unsafe_trust_export: Annotated[
        bool,
        typer.Option("--unsafe-trust-export", help="Trust the keys inside the export; proves no origin."),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Verify an export or a receipt offline: every record, no gap, no change. Exit: 0 sound, 1 not.

    Keys come from `--key`, or from what this machine remembers since `remit ledger export`.
    """
    from remit.ledger.verify import verify_files  # noqa: PLC0415 — as above

    if _is_receipt(file):
        _verify_receipt(file, trusted=_trusted(key or [], {}, inside=False), output=output)
        return
    files = _files(file)
    trusted = _trusted(key or [], files, inside=unsafe_trust_export)
    report = verify_files(files, trusted=trusted, held=[_read(each) for each in held or []])
    found: dict[str, Any] = {
        "sound": report.sound,
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "records": report.records,
        "in_flight": report.in_flight,
        "open_tasks": list(report.open_tasks),
        "undisclosed": report.undisclosed,
        "further": report.further,
        "findings": [
            {
                "step": each.step,
                "code": each.code,
                "sentence": each.sentence,
                "index": each.index,
                "record": each.record,
                "log": each.log,
            }
            for each in report.findings
        ],
    }
    show(found, output=output, lines=_verdict(found))
    raise typer.Exit(Exit.DONE if report.sound else Exit.FAILED)


def _is_receipt(path: Path) -> bool:
    return not path.is_dir() and _read(path).startswith(b"c2sp.org/tlog-proof@")


def _verify_receipt(path: Path, *, trusted: list[Any], output: Output) -> None:
    """Say what one receipt proves: the decision in the field's words, when, and under whose head."""
    from remit.ledger.receipt import Receipt, ReceiptRejected, verify_receipt  # noqa: PLC0415 — as above
    from remit.ledger.words import word_of_record  # noqa: PLC0415 — as above

    try:
        proven = verify_receipt(Receipt.parse(_read(path)), keys=trusted)
    except ReceiptRejected as broken:
        refused = {"sound": False, "step": broken.step, "sentence": broken.hint}
        show(
            refused, output=output, lines=[f"{coloured('FAIL')}  step {broken.step}: {visible(broken.hint)}"]
        )
        raise typer.Exit(Exit.FAILED) from broken
    record, word = proven.record, word_of_record(proven.record)
    found = {
        "sound": True,
        "origin": proven.checkpoint.origin,
        "index": proven.index,
        "kind": record.kind,
        "at": record.at.isoformat(),
        "verdict": word,
        "decision": record.decision,
        "action": record.action,
        "resource": record.resource,
        "agent": record.agent,
        "codes": list(record.codes),
        "rules": list(record.rules),
    }
    what = f"{word}  {record.action} on {record.resource}" if word else record.kind
    lines = [
        f"{coloured('ok')}  {visible(what)}, {found['at']}",
        visible(f"  record {proven.index} of {proven.checkpoint.origin}, under a head that it signed"),
        *([visible(f"  {record.decision}  rules {', '.join(record.rules) or '-'}")] if word else []),
    ]
    show(found, output=output, lines=lines)


def _files(path: Path) -> dict[str, bytes]:
    from remit.ledger.export import unpack_archive  # noqa: PLC0415 — as above

    if path.is_dir():
        return {
            str(each.relative_to(path)): _read(each) for each in sorted(path.rglob("*")) if each.is_file()
        }
    return unpack_archive(_read(path))


def _trusted(named: list[Path], files: dict[str, bytes], *, inside: bool) -> list[Any]:
    from remit.ledger.checkpoint import LogKey  # noqa: PLC0415 — as above
    from remit.surface.cli.client import data_directory  # noqa: PLC0415 — as above

    pinned = data_directory(os.environ) / PINNED
    sources = [_read(each) for each in named] or ([pinned.read_bytes()] if pinned.exists() else [])
    if inside:
        sources.append(files.get("keys.txt", b""))
    lines = [
        line for source in sources for line in source.decode("utf-8", "replace").splitlines() if line.strip()
    ]
    if not lines:
        raise Misused(
            "no key of the log is trusted here, so nothing could be proven",
            next_step="remit ledger verify FILE --key log.keys (or --unsafe-trust-export)",
        )
    return [LogKey.parse(line) for line in lines]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as broken:
        raise Misused(f"`{path}` cannot be read", next_step="remit ledger export FILE") from broken


def _verdict(found: dict[str, Any]) -> list[str]:
    if found["sound"]:
        tasks = f", {len(found['open_tasks'])} tasks still open" if found["open_tasks"] else ""
        flight = f", {found['in_flight']} calls in flight" if found["in_flight"] else ""
        told = f"{found['records']} records, no gap, head signed by {found['origin']}{flight}{tasks}"
        return [f"{coloured('ok')}  {visible(told)}"]
    lines = [
        f"  {'log' if each['index'] is None else each['index']!s:<8} step {each['step']}  {each['code']}: "
        + visible(f"in log `{each['log']}`: {each['sentence']}" if each["log"] else each["sentence"])
        for each in found["findings"]
    ]
    more = [f"  and {found['further']} more"] if found["further"] else []
    return [f"{coloured('FAIL')}  this is not what was signed", *lines, *more]


def _told(found: dict[str, Any]) -> list[str]:
    lines = []
    for each in found["answers"]:
        whom = f" for {each['human']}" if each["human"] else " on its own behalf"
        approver = f"approved by {each['approver']}" if each["approver"] else "approved by nobody"
        plain = f"{each['effect']}  {each['agent']}{whom}: {each['action']} on {each['resource']}"
        lines += [
            visible(each["told"] or plain),
            visible(
                f"  {each['decision']}  rules {', '.join(each['rules']) or '-'}, {approver}, "
                f"owner {each['owner'] or '-'}, {each['mode'] or '-'}, asked by {each['initiative'] or '-'}, "
                f"outcome {each['outcome'] or 'none'}"
            ),
        ]
    lines += [visible(f"  because  {step['what']}  {step['subject']}") for step in found["authorization"]]
    for story in found["tasks"]:
        missing = ", ".join(story["missing"]) or "nothing"
        lines.append(visible(f"task {story['task']}: missing {missing}"))
    return lines or ["the log says nothing about this"]
