"""`remit issuer`: whose word about workloads this installation takes, and which workloads are which agent."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.kernel.canonical import b64u
from remit.surface.cli.agent import read_json
from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.render import Output, details, show

app = group("Issuers whose word about workloads is taken: SPIFFE, clusters, CI, clouds.")
_COLUMNS = ("id", "name", "profile", "state", "issuer")
_SAML = Annotated[bool, typer.Option("--saml", help="It is SAML: XML, or certificates.")]
_NAME = Annotated[str, typer.Argument(help="Name or id of the issuer.")]


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List the issuers, also those that are trusted no longer."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        show(client.get("/issuers"), output=output, columns=_COLUMNS)


@app.command("show")
def show_(name: _NAME, *, output: OutputOption = Output.TABLE) -> None:
    """Show one issuer, its keys as last seen, its rules."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/issuers/{name}")
    keys = found["keys"] or {"kids": [], "authorities": 0, "seen_at": "never"}
    held = [*keys["kids"], *([f"{keys['authorities']} of X.509"] if keys["authorities"] else [])]
    lines = [
        *details(found["issuer"]),
        f"keys   {' '.join(held) or 'none'}  seen {keys['seen_at']}",
        *(f"rule   {each['id']}  {each['agent']}  {_said(each['conditions'])}" for each in found["rules"]),
    ]
    show(found, output=output, lines=lines, hint=f"remit issuer allow {name} AGENT CLAIM=VALUE")


@app.command()
def claims(
    profile: Annotated[str, typer.Argument(help="Kind of issuer; absent: all of them.")] = "",
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show which claims of a kind of issuer prove something, and which a rule must name."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = [each for each in client.get("/issuers/profiles") if profile in {"", each["profile"]}]
    if not found:
        raise Misused(f"no kind of issuer is called `{profile}`", next_step="remit issuer claims")
    show(found, output=output, lines=[line for each in found for line in _table(each)])


@app.command()
def trust(
    name: Annotated[str, typer.Argument(help="Name for it: a DNS label.")],
    *,
    profile: Annotated[str, typer.Option("--profile", help="Kind: see `remit issuer claims`.")],
    issuer: Annotated[str, typer.Option("--issuer", help="Its `iss`, byte for byte; or spiffe://DOMAIN.")],
    address: Annotated[str, typer.Option("--address", help="Address of its keys; absent: discovery.")] = "",
    keys: Annotated[Path | None, typer.Option("--keys", help="JWK Set or bundle to pin.")] = None,
    saml_metadata: Annotated[
        str, typer.Option("--saml-metadata", help="SAML metadata or certificates: file or https address.")
    ] = "",
    audience: Annotated[str, typer.Option("--audience", help="For platforms that can't name us.")] = "",
    longest: Annotated[int | None, typer.Option("--longest", help="Longest life in seconds.")] = None,
    repeatable: Annotated[
        bool, typer.Option("--repeatable", help="Let an assertion be shown again until it ends.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Trust an issuer's word about its workloads. Nobody gets in before a rule says who."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    stated: dict[str, Any] = {
        "name": name,
        "profile": profile,
        "issuer": issuer,
        "address": address,
        "audience": audience,
        "repeatable": repeatable,
        **({} if longest is None else {"longest_seconds": longest}),
        **({} if keys is None else {"keys": read_json(keys)}),
        **saml_stated(saml_metadata),
    }
    with Client.open() as client:
        found = client.post("/issuers", stated)
    lines = [f"trusting {found['issuer']} as {found['name']} ({found['id']})"]
    show(found, output=output, lines=lines, hint=f"remit issuer allow {name} AGENT CLAIM=VALUE")


@app.command()
def allow(
    name: _NAME,
    agent: Annotated[str, typer.Argument(help="Name or id of the agent.")],
    conditions: Annotated[
        list[str], typer.Argument(help="CLAIM=VALUE, all of which must hold; `*` is one whole segment.")
    ],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say which workloads of an issuer are an agent; a rule that proves nothing is refused."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    said = dict(_pair(each) for each in conditions)
    with Client.open() as client:
        found = client.post(f"/issuers/{name}/rules", {"agent": agent, "conditions": said})
    lines = [f"rule {found['id']}: {_said(found['conditions'])} is {agent}"]
    show(found, output=output, lines=lines, hint=f"remit agent activate {agent}")


@app.command()
def disallow(
    rule: Annotated[str, typer.Argument(help="Id of the rule.")],
    *,
    reason: ReasonOption = "withdrawn by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a rule back: every workload that came by it ends at once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"workloads that came by {rule} end at once", f"remit issuer disallow {rule}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/issuers/rules/{rule}/withdraw", {"reason": reason})
    show(found, output=output, lines=[f"rule {found['id']} is {found['state']}"])


@app.command()
def distrust(
    name: _NAME,
    *,
    reason: ReasonOption = "distrusted by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Trust an issuer no longer: its rules and all its workloads end at once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"all workloads of {name} end at once", f"remit issuer distrust {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/issuers/{name}/distrust", {"reason": reason})
    show(found, output=output, lines=[f"{found['name']} is {found['state']}"])


@app.command()
def refresh(name: _NAME, *, output: OutputOption = Output.TABLE) -> None:
    """Ask an issuer for its keys now; says what is wrong with them, if anything is."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/issuers/{name}/refresh")
    show(found, output=output, lines=details(found))


@app.command()
def pin(
    name: _NAME,
    keys: Annotated[
        Path, typer.Argument(help="JWK Set, SPIFFE bundle (none older), SAML metadata or certificates.")
    ],
    *,
    saml: _SAML = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Replace the pinned keys of an issuer."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        said = {"metadata": read_plain(str(keys))} if saml else {"keys": read_json(keys)}
        found = client.put(f"/issuers/{name}/keys", said)
    show(found, output=output, lines=details(found))


@app.command("try")
def try_(
    assertion: Annotated[str, typer.Argument(help="File with an assertion; `-` reads it from stdin.")],
    *,
    saml: _SAML = False,
    output: OutputOption = Output.TABLE,
) -> int:
    """Say which agent an assertion would be, or the step at which it stops; uses nothing up."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above
    from remit.surface.cli.joining import read_text  # noqa: PLC0415 — as above

    with Client.open() as client:
        text = read_text(assertion)
        sent = b64u(text.encode()) if saml and text.startswith("<") else text
        found = client.post("/issuers/try", {"assertion": sent, "form": "saml" if saml else "jwt"})
    lines = [f"{name}  {value}" for name, value in found.get("claims", {}).items()]
    if found["accepted"]:
        show(found, output=output, lines=[*lines, f"is {found['agent']} by rule {found['rule']}"])
        return Exit.DONE
    stopped = f"stops at step {found['step']}: {found['reason']}  {found.get('detail', '')}".rstrip()
    show(found, output=output, lines=[*lines, stopped], hint="remit issuer claims")
    return Exit.DENIED


def read_plain(place: str) -> str:
    """Read metadata or certificates from a file."""
    try:
        return Path(place).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise Misused(f"`{place}` cannot be read", next_step="name another file") from broken


def saml_stated(place: str) -> dict[str, str]:
    """Where metadata is, or what it says."""
    if not place:
        return {}
    return {"address": place} if place.startswith("https://") else {"metadata": read_plain(place)}


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name or not value:
        raise Misused(f"`{text}` is not CLAIM=VALUE", next_step="remit issuer claims")
    return name, value


def _said(conditions: dict[str, str]) -> str:
    return "  ".join(f"{claim}={value}" for claim, value in sorted(conditions.items()))


def _table(profile: dict[str, Any]) -> list[str]:
    proofs = ", or ".join(" and ".join(each) for each in profile["proofs"])
    guarded = [f"  {claim}: {' '.join(values)}" for claim, values in profile["guarded"].items()]
    return [
        f"{profile['profile']}   iss as {profile['issuer_example']}",
        f"  a rule must name {proofs}",
        *(
            f"  {row['name']:<32} {row['need']:<9} {' '.join(row['patterns'])}".rstrip()
            for row in profile["claims"]
        ),
        *(["  refused unless a rule names the claim:", *guarded] if guarded else []),
        "",
    ]
