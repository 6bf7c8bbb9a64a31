"""`remit doctor`: look at each thing in turn; name the step that fails, and what mends it."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from remit.kernel.errors import RemitError
from remit.surface.cli.diagnosis.finding import Finding
from remit.surface.cli.exits import Exit
from remit.surface.cli.options import OutputOption, word
from remit.surface.cli.render import Output, coloured, show, visible

app = word("Check installation, settings, server and clock; name the step that fails.")
_SECONDS: Final = 5.0
_SKEW: Final = 5.0


@app.command()
def doctor(
    subject: Annotated[
        str, typer.Argument(help="Nothing for this installation, or one of `mcp`, `idp`, `channel`.")
    ] = "",
    url: Annotated[
        str, typer.Argument(help="With `mcp`: address of an MCP server; with `idp`: name or issuer.")
    ] = "",
    *,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check installation, settings, server and clock; name the step that fails.

    `remit doctor mcp URL` follows the way that an MCP client takes to its token. `remit doctor idp NAME` lets
    the server walk the way to a connected provider, `remit doctor idp ISSUER` looks at one from here.
    `remit doctor channel` looks at how people are reached, `remit doctor channel NAME` at one channel.
    Exit: 0 well, 1 not.
    """
    found = list(_steps(subject, url, config))
    rows = [{"step": each.step, "ok": each.ok, "detail": each.detail, "fix": each.fix} for each in found]
    show(rows, output=output, lines=[line for each in found for line in _lines(each)])
    raise typer.Exit(Exit.DONE if all(each.ok for each in found) else Exit.FAILED)


def _steps(subject: str, url: str, config: Path | None) -> Iterator[Finding]:
    from remit.surface.cli.diagnosis import channel, idp, mcp  # noqa: PLC0415 — `--help` need not pay for it
    from remit.surface.cli.failures import Misused  # noqa: PLC0415 — beside its one use

    if not subject and not url:
        return _installation(config)
    if subject == "channel":
        return channel.steps(url)
    if subject not in {"mcp", "idp"} or not url:
        raise Misused(
            "say `mcp URL`, `idp NAME`, `idp ISSUER`, `channel`, or nothing", next_step="remit doctor --help"
        )
    if subject == "mcp":
        return mcp.steps(url)
    return idp.steps(url, at=datetime.now(UTC)) if "://" in url else idp.connected(url)


def _lines(found: Finding) -> list[str]:
    verdict = coloured("ok") + "    " if found.ok else coloured("FAIL") + "  "
    lines = [f"  {found.step:<18} {verdict}{visible(found.detail)}"]
    return lines if found.ok else [*lines, f"fix: {found.fix}"]


def _installation(config: Path | None) -> Iterator[Finding]:
    """Stops at the first step without which the next can't be asked."""
    from remit.platform.settings.load import load  # noqa: PLC0415 — `--help` need not pay for it
    from remit.platform.settings.refusals import LocalDisk, refusals  # noqa: PLC0415 — as above

    try:
        settings = load(file=config, environ=os.environ)
    except RemitError as wrong:
        yield Finding(step="settings", ok=False, detail=wrong.hint, fix=wrong.next_step or "mend the setting")
        return
    refused = list(refusals(settings, LocalDisk()))
    for each in refused:
        yield Finding(step=each.code, ok=False, detail=each.sentence, fix=each.fix)
    if not refused:
        yield Finding(step="settings", ok=True, detail=f"data in {settings.directory}")
    yield from _plugins()
    yield _model(settings.risk.intent_model)
    yield from _server()


def _plugins() -> Iterator[Finding]:
    """The facts that this installation's plugins give to policies; one line each."""
    from remit.app.bindings.plugins import found_plugins  # noqa: PLC0415 — as above

    for each in found_plugins():
        if each.offer is None:
            told = f"{each.distribution}: {each.fault}"
            yield Finding(step=f"plugin {each.entry}", ok=False, detail=told, fix="mend or uninstall it")
        else:
            budget = each.offer.budget.total_seconds() * 1000
            told = (
                f"{each.distribution}: context.plugin.{each.offer.name} {each.offer.version}, {budget:g} ms"
            )
            yield Finding(step=f"plugin {each.entry}", ok=True, detail=told)


def _model(directory: str) -> Finding:
    """Whether goals and actions are compared, and by what."""
    from remit.app.bindings.intent import fault_of  # noqa: PLC0415 — as above

    if not directory:
        return Finding(step="intent model", ok=True, detail="none set: goals and actions are not compared")
    if fault := fault_of(directory):
        mend = "set `risk.intent_model` to a model as docs/guides/risk.md says, or to nothing"
        return Finding(step="intent model", ok=False, detail=fault, fix=mend)
    return Finding(step="intent model", ok=True, detail=f"ready: {directory}")


def _server() -> Iterator[Finding]:
    from remit.surface.cli.client import Place  # noqa: PLC0415 — as above

    try:
        place = Place.find(os.environ)
    except RemitError as absent:
        yield Finding(step="server", ok=False, detail=absent.hint, fix=absent.next_step)
        return
    base, issuer = place.server.url, place.server.issuer
    try:
        alive = _get(f"{base}/healthz")
    except RemitError as failed:
        yield Finding(step="server", ok=False, detail=failed.hint, fix="remit up")
        return
    yield Finding(step="server", ok=True, detail=f"alive at {base}")
    yield _clock(alive)
    yield _ready(f"{base}/readyz")
    yield _issuer(base, issuer)
    yield _session()


def _clock(answer: Any) -> Finding:
    """Against the server's own clock, by what `/healthz` says; half the round trip is below the tolerance."""
    told = str(answer.json().get("now", ""))
    try:
        skew = abs(datetime.fromisoformat(told).timestamp() - time.time())
    except ValueError:
        return Finding(
            step="clock", ok=False, detail=f"the server says no time (`{told}`)", fix="upgrade the server"
        )
    return Finding(
        step="clock",
        ok=skew <= _SKEW,
        detail=f"{skew:.0f} s from the server's, {_SKEW:.0f} s are tolerated",
        fix="set this machine's clock by NTP",
    )


def _ready(url: str) -> Finding:
    found = _get(url).json()
    failing = [f"{each['name']}: {each['detail']}" for each in found.get("probes", []) if not each["ok"]]
    return Finding(
        step="readiness",
        ok=bool(found.get("ready")),
        detail="; ".join(failing) or "every probe holds",
        fix="mend what the probe names, then run this again",
    )


def _issuer(base: str, issuer: str) -> Finding:
    from remit.surface.cli.diagnosis.reach import well_known  # noqa: PLC0415 — `--help` needs no network

    found = _get(well_known("oauth-authorization-server", base)).json().get("issuer", "")
    return Finding(
        step="issuer metadata",
        ok=found == issuer,
        detail=f"says `{found}`, expected `{issuer}`" if found != issuer else issuer,
        fix="set `issuer` to the address that clients use, byte for byte",
    )


def _session() -> Finding:
    """A whole sign-in: key file, assertion, proof, token, one call."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    try:
        with Client.open() as client:
            client.get(f"/users/{client.user}")
            return Finding(step="session", ok=True, detail=f"signed in as {client.user}")
    except RemitError as refused:
        return Finding(
            step="session",
            ok=False,
            detail=refused.hint,
            fix=refused.next_step or "remit up, or set REMIT_KEY",
        )


def _get(url: str) -> Any:
    import httpx2  # noqa: PLC0415 — 0.4 s that `--help` need not pay

    from remit.surface.cli.failures import Unreachable  # noqa: PLC0415 — as above

    try:
        return httpx2.get(url, timeout=_SECONDS, trust_env=False, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as failed:
        raise Unreachable(f"`{url}` cannot be reached", next_step="check the address") from failed
