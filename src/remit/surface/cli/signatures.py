"""Verifying, without the server, what people signed when they answered."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from remit.identity.errors import PasskeysNeedName
from remit.identity.passkeys import RelyingParty, relying_party
from remit.kernel.canonical import sha256
from remit.oversight.approvals.evidence import Evidence, fault_in
from remit.surface.cli.render import coloured, visible

_DECODER: Final = msgspec.json.Decoder(Evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was found: as an object, as lines, and whether every signature held."""

    shown: dict[str, Any]
    lines: list[str]
    held: bool


def verified(found: dict[str, Any]) -> Told:
    """Verify every answer to one ask: its fingerprint, the digest that it names, the signature itself."""
    party = _party(str(found["issuer"]))
    answers = [_answer(each, str(found["digest"]), party) for each in found["items"]]
    lines = [f"{found['approval']}  digest {found['digest']}", *(_line(each) for each in answers)]
    if not answers:
        lines.append("  nobody has answered")
    return Told(
        shown={"approval": found["approval"], "digest": found["digest"], "answers": answers},
        lines=lines,
        held=all(each["fault"] == "" for each in answers),
    )


def _answer(item: dict[str, Any], digest: str, party: RelyingParty | None) -> dict[str, str]:
    document = str(item["document"])
    evidence = _DECODER.decode(document)
    fault = fault_in(evidence, digest=digest, party=party)
    if sha256(document.encode()) != item["fingerprint"]:
        fault = "it is not the answer that its fingerprint names"
    return {
        "person": evidence.person,
        "answer": evidence.answer.value,
        "scope": evidence.choice.sentence if evidence.choice else "",
        "channel": evidence.channel,
        "at": evidence.at.isoformat(),
        "fingerprint": str(item["fingerprint"]),
        "fault": fault,
    }


def _line(answer: dict[str, str]) -> str:
    word = coloured("signed") if not answer["fault"] else coloured("unproven")
    what = f"{answer['answer']} {answer['scope']}".strip()
    why = f": {answer['fault']}" if answer["fault"] else ""
    when = answer["at"][:19].replace("T", " ")
    return f"  {word}  {when} UTC  {answer['person']}  {visible(what)} by {answer['channel']}{visible(why)}"


def _party(issuer: str) -> RelyingParty | None:
    try:
        return relying_party(issuer)
    except PasskeysNeedName:
        return None
