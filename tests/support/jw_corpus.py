"""The negative corpus of JOSE attacks: one mutation of a valid token each, for every place that takes one.

    for mutation in corpus(valid, Knowledge(owner=…, attacker=…, lawful_types=…)):
        assert <the sink refuses mutation.token>, mutation

Where an attack is not about the signature, the mutated token is signed again with the owner's own key, so
that only the defence under test can refuse it. An empty list of accepted mutations is the only pass.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import PublicKey
from remit.kernel.jose.keys import PrivateKey

ALL_TYPES = (
    "at+jwt",
    "JWT",
    "client-authentication+jwt",
    "oauth-id-jag+jwt",
    "oauth-authz-req+jwt",
    "dpop+jwt",
    "JOSE",
    "txntoken+jwt",
    "token-introspection+jwt",
    "logout+jwt",
    "secevent+jwt",
    "statuslist+jwt",
    "remit-cap+jwt",
    "remit-env+jwt",
    "application/secevent+jwt",
    "*",
    "at+jwt,dpop+jwt",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One attack: its id in the catalogue (empty: plain malformation), a name, the token to send."""

    attack: str
    name: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What the generator may use, and what the class under test lawfully accepts."""

    owner: PrivateKey
    attacker: PrivateKey
    lawful_types: frozenset[str]
    """`typ` values that the class accepts, lower-case; the empty one: absent."""
    lawful_algorithms: frozenset[str] = frozenset()
    """Other names of the owner's own algorithm that are accepted (`EdDSA`)."""
    one_element_audience: bool = False
    nameless_key: bool = False
    """An absent `kid` is lawful: the few keys of the named issuer are tried."""
    brings_key: bool = False
    """A DPoP proof: `jwk` in the header is lawful, `kid` and `aud` mean nothing, `exp` is not read."""


def corpus(token: str, known: Knowledge) -> Iterator[Mutation]:
    """Give every mutation that applies to the class."""
    subject = _Subject(token, known)
    yield from _algorithms(subject)
    yield from _header_members(subject)
    yield from _types(subject)
    yield from _duplicates(subject)
    yield from _sizes(subject)
    yield from _forms(subject)
    if known.brings_key:
        return
    yield from _keys(subject)
    yield from _audiences(subject)
    yield from _times(subject)
    yield from _issuers(subject)


class _Subject:
    """A valid token taken apart, and the ways to put it together again."""

    def __init__(self, token: str, known: Knowledge) -> None:
        self.token = token
        self.known = known
        self.protected, self.body, self.mark = token.split(".")
        self.header: dict[str, Any] = json.loads(b64u_decode(self.protected))
        self.claims: dict[str, Any] = json.loads(b64u_decode(self.body))

    def signed(self, header: bytes, payload: bytes, key: PrivateKey | None = None) -> str:
        signing_input = f"{b64u(header)}.{b64u(payload)}"
        return f"{signing_input}.{b64u((key or self.known.owner).sign(signing_input.encode()))}"

    def with_header(self, key: PrivateKey | None = None, **changes: Any) -> str:
        return self.signed(_dump(_changed(self.header, changes)), b64u_decode(self.body), key)

    def with_claims(self, **changes: Any) -> str:
        return self.signed(b64u_decode(self.protected), _dump(_changed(self.claims, changes)))

    def with_payload(self, payload: bytes) -> str:
        return self.signed(b64u_decode(self.protected), payload)


ABSENT = object()


def _changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _algorithms(subject: _Subject) -> Iterator[Mutation]:
    for name in ("none", "None", "nOnE", "NONE", "", " none", ABSENT, None, 0, ["none"]):
        header = _dump(_changed(subject.header, {"alg": name}))
        label = "absent" if name is ABSENT else repr(name)
        unsigned = f"{b64u(header)}.{subject.body}"
        yield Mutation(attack="JW-01", name=f"alg {label}, no signature", token=f"{unsigned}.")
        yield Mutation(attack="JW-01", name=f"alg {label}, old signature", token=f"{unsigned}.{subject.mark}")
        yield Mutation(attack="JW-01", name=f"alg {label}, signed", token=subject.with_header(alg=name))
    yield from _confusions(subject)
    own = subject.known.owner.algorithm.value
    for name in ("ES256", "ES384", "ES512", "ES256K", "Ed25519", "Ed448", "EdDSA", "RS256", "PS256", "RS1"):
        if name != own and name not in subject.known.lawful_algorithms:
            yield Mutation(attack="JW-03", name=f"alg {name}", token=subject.with_header(alg=name))
    for name in (own.lower(), own.swapcase(), f"{own} ", f"{own}\0"):
        if name != own:
            yield Mutation(attack="JW-03", name=f"alg {name!r}", token=subject.with_header(alg=name))


def _confusions(subject: _Subject) -> Iterator[Mutation]:
    for name, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
        for form, secret in public_bytes(subject.known.owner.public).items():
            signing_input = f"{b64u(_dump(_changed(subject.header, {'alg': name})))}.{subject.body}"
            mac = hmac.new(secret, signing_input.encode(), digest).digest()
            yield Mutation(attack="JW-02", name=f"{name} with {form}", token=f"{signing_input}.{b64u(mac)}")


def public_bytes(public: PublicKey) -> dict[str, bytes]:
    """Give the forms in which careless verifiers hold a public key, and take it for a secret."""
    jwk = public.jwk()
    forms = {"jwk": public.canonical, "no secret": b""}
    if public.algorithm is Algorithm.ED25519:
        raw = b64u_decode(str(jwk["x"]))
        der = bytes.fromhex("302a300506032b6570032100") + raw  # RFC 8410 §4
        forms |= {"raw": raw, "der": der}
        key = load_der_public_key(der)
        forms["pem"] = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return forms


def _header_members(subject: _Subject) -> Iterator[Mutation]:
    attacker = subject.known.attacker
    theirs = {**attacker.public.jwk(), "kid": subject.header.get("kid", "k")}
    if not subject.known.brings_key:
        yield Mutation(
            attack="JW-04", name="jwk of attacker", token=subject.with_header(attacker, jwk=theirs)
        )
        mine = subject.known.owner.public.jwk()
        yield Mutation(attack="JW-04", name="jwk of owner", token=subject.with_header(jwk=mine))
    for name in ("jku", "x5u"):
        for url in ("https://attacker.example/jwks", "https://remit.example/jwks?next=//attacker.example"):
            for who, key in (("attacker", attacker), ("owner", None)):
                token = subject.with_header(key, **{name: url})
                yield Mutation(attack="JW-05", name=f"{name} {url} signed by {who}", token=token)
    for members in ({"x5c": ["MIIB"]}, {"x5t": "AAAA"}, {"x5t#S256": "AAAA"}):
        yield Mutation(attack="JW-06", name=f"{members}", token=subject.with_header(**members))
    for critical in (["exp"], ["b64"], [], ["alg"], "exp", None, ["dev.remit"]):
        yield Mutation(attack="JW-08", name=f"crit {critical}", token=subject.with_header(crit=critical))
    for flag in (False, True, "false"):
        token = subject.with_header(b64=flag, crit=["b64"])
        yield Mutation(attack="JW-08", name=f"b64 {flag}", token=token)
    yield Mutation(attack="JW-08", name="b64 without crit", token=subject.with_header(b64=False))
    yield Mutation(attack="JW-08", name="unknown member", token=subject.with_header(None, **{"dev.remit": 1}))
    yield from _encryptions(subject)


def _encryptions(subject: _Subject) -> Iterator[Mutation]:
    jwe = b64u(_dump({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 10**9, "p2s": "AAAA"}))
    yield Mutation(attack="JW-10", name="JWE with p2c=10^9", token=f"{jwe}.AA.AA.AA.AA")
    yield Mutation(attack="JW-10", name="JWE header, three segments", token=f"{jwe}.AA.AA")
    foreign: list[dict[str, Any]] = [
        {"zip": "DEF"},
        {"enc": "A128GCM"},
        {"cty": "JWT"},
        {"p2c": 10**9},
        {"epk": {}},
    ]
    for members in foreign:
        yield Mutation(attack="JW-10", name=f"header {members}", token=subject.with_header(**members))
    nested = subject.with_payload(subject.token.encode())
    yield Mutation(attack="JW-10", name="nested", token=nested)


def _types(subject: _Subject) -> Iterator[Mutation]:
    for name in (*ALL_TYPES, ABSENT, "", None, 1, ["at+jwt"]):
        plain = "" if name is ABSENT else name
        if (
            isinstance(plain, str)
            and plain.lower().removeprefix("application/") in subject.known.lawful_types
        ):
            continue
        label = "absent" if name is ABSENT else repr(name)
        yield Mutation(attack="JW-09", name=f"typ {label}", token=subject.with_header(typ=name))


def _duplicates(subject: _Subject) -> Iterator[Mutation]:
    for members, put in (
        (subject.header, lambda raw: subject.signed(raw, b64u_decode(subject.body))),
        (subject.claims, subject.with_payload),
    ):
        for name, value in members.items():
            plain = _dump(members)[1:-1].decode()
            twin = json.dumps(name)
            escaped = f'"\\u{ord(name[0]):04x}{name[1:]}"'
            for label, text in (
                ("evil first", f"{{{twin}:0,{plain}}}"),
                ("evil last", f"{{{plain},{twin}:0}}"),
                ("same value", f"{{{plain},{twin}:{json.dumps(value)}}}"),
                ("escaped", f"{{{plain},{escaped}:{json.dumps(value)}}}"),
            ):
                yield Mutation(attack="JW-13", name=f"{name} twice, {label}", token=put(text.encode()))


@cache
def _many() -> str:
    return ",".join(f'"c{n}":{n}' for n in range(100_000))


def _sizes(subject: _Subject) -> Iterator[Mutation]:
    plain = _dump(subject.claims)[:-1].decode()
    for name, members in {"64 KiB claim": f'"x":"{"A" * (64 << 10)}"', "10^5 claims": _many()}.items():
        token = subject.with_payload(f"{plain},{members}}}".encode())
        yield Mutation(attack="JW-18", name=name, token=token)
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        for depth in (100, 2_000, 10_000):
            deep = f'{plain},"x":{opening * depth}0{closing * depth}}}'
            token = subject.with_payload(deep.encode())
            yield Mutation(attack="JW-18", name=f"{depth} deep {opening}", token=token)
    yield Mutation(attack="JW-18", name="64 KiB header", token=subject.with_header(kid="A" * (64 << 10)))
    yield Mutation(attack="JW-18", name="10^6 dots", token="." * 1_000_000)
    digits = f'{plain},"x":{"9" * 5_000}}}'
    yield Mutation(attack="JW-18", name="5,000 digits", token=subject.with_payload(digits.encode()))


def _forms(subject: _Subject) -> Iterator[Mutation]:
    token, protected, body, mark = subject.token, subject.protected, subject.body, subject.mark
    swapped = "A" if mark[0] != "A" else "B"
    for name, text in {
        "empty": "",
        "two segments": f"{protected}.{body}",
        "four segments": f"{token}.{mark}",
        "no signature": f"{protected}.{body}.",
        "no payload": f"{protected}..{mark}",
        "no header": f".{body}.{mark}",
        "other signature": f"{protected}.{body}.{swapped}{mark[1:]}",
        "short signature": f"{protected}.{body}.{mark[:-4]}",
        "long signature": f"{protected}.{body}.{mark}AAAA",
        "zero signature": f"{protected}.{body}.{b64u(bytes(64))}",
        "signature of another's key": subject.signed(
            b64u_decode(protected), b64u_decode(body), subject.known.attacker
        ),
        "padded": f"{token}==",
        "padded header": f"{protected}=.{body}.{mark}",
        "blank in front": f" {token}",
        "line end behind": f"{token}\n",
        "line end inside": f"{protected}.{body[:8]}\n{body[8:]}.{mark}",
        "standard alphabet": f"{protected}.{body}.{mark.replace('-', '+').replace('_', '/')}+",
        "non-canonical last bits": f"{protected}.{body}.{_other_last_bits(mark)}",
        "not ASCII": f"{protected}.{body}.{mark[:-1]}é",
        "NUL": f"{token}\0",
        "JSON serialization": json.dumps({"protected": protected, "payload": body, "signature": mark}),
        "payload no object": subject.with_payload(b"[]"),
        "payload no JSON": subject.with_payload(b"\xff\xfe"),
        "payload with BOM": subject.with_payload(b"\xef\xbb\xbf" + _dump(subject.claims)),
        "payload and more": subject.with_payload(_dump(subject.claims) + b"{}"),
        "lone surrogate": subject.with_payload(_dump(subject.claims)[:-1] + b',"x":"\\ud800"}'),
        "NaN": subject.with_payload(_dump(subject.claims)[:-1] + b',"x":NaN}'),
        "header no object": subject.signed(b'"alg"', b64u_decode(body)),
    }.items():
        yield Mutation(attack="", name=name, token=text)


def _other_last_bits(segment: str) -> str:
    """Change bits of the last character that decoding drops: same bytes, other text."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if len(segment) % 4 == 0:
        return segment + "A"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ 1]


def _keys(subject: _Subject) -> Iterator[Mutation]:
    attacker = subject.known.attacker
    own = str(subject.header["kid"])
    for kid in (
        "../../../../dev/null",
        "/proc/sys/kernel/randomize_va_space",
        "' OR '1'='1",
        "x' UNION SELECT 'AA' --",
        "| sleep 5",
        "https://attacker.example/jwks",
        "A" * 100_000,
        "A" * 1_000,
        "",
        "\0",
        own + "\0",
        own.upper() if own.upper() != own else own.lower(),
        own + " ",
        "é",
        ABSENT,
        None,
        7,
        [own],
        {"kid": own},
    ):
        label = "absent" if kid is ABSENT else repr(kid)[:40]
        for who, key in (("attacker", attacker), ("owner", None)):
            if kid is ABSENT and who == "owner" and subject.known.nameless_key:
                continue
            token = subject.with_header(key, kid=kid)
            yield Mutation(attack="JW-07", name=f"kid {label} signed by {who}", token=token)


def _audiences(subject: _Subject) -> Iterator[Mutation]:
    if "aud" not in subject.claims:
        yield Mutation(attack="JW-15", name="aud where none belongs", token=subject.with_claims(aud="x"))
        return
    ours = subject.claims["aud"] if isinstance(subject.claims["aud"], str) else subject.claims["aud"][0]
    values = [
        [ours, "https://other.example"],
        ["https://other.example", ours],
        [ours, ours],
        [],
        [[ours]],
        [None],
        {"aud": ours},
        ours.upper(),
        ours + "/",
        ours + "/x",
        ours[:-1],
        ours + "\0",
        ours + " ",
        f"{ours} https://other.example",
        f"{ours},https://other.example",
        "https://other.example",
        "*",
        "",
        None,
        True,
        0,
        ABSENT,
    ]
    if not subject.known.one_element_audience:
        values.append([ours])
    for value in values:
        label = "absent" if value is ABSENT else repr(value)
        yield Mutation(attack="JW-15", name=f"aud {label}", token=subject.with_claims(aud=value))


def _times(subject: _Subject) -> Iterator[Mutation]:
    far, past = 253_402_300_799, int(subject.claims.get("iat", subject.claims["exp"])) - 100_000
    wrong: list[Any] = [
        str(subject.claims["exp"]),
        float(subject.claims["exp"]) + 0.5,
        float(subject.claims["exp"]),
        True,
        None,
        -1,
        0,
        [subject.claims["exp"]],
        far,
        10**15,
    ]
    for name in ("exp", "nbf", "iat"):
        for value in wrong:
            # A lawful class may know a future `nbf` only as "not yet".
            token = subject.with_claims(**{name: value})
            yield Mutation(attack="JW-17", name=f"{name} {value!r}", token=token)
        for text in ("1e400", "1e10", "-0", "01", "1" * 400, "0x7fffffff", "Infinity"):
            plain = _dump(_changed(subject.claims, {name: ABSENT}))[:-1].decode()
            token = subject.with_payload(f'{plain},"{name}":{text}}}'.encode())
            yield Mutation(attack="JW-17", name=f"{name} {text[:12]}", token=token)
    yield Mutation(attack="JW-17", name="exp absent", token=subject.with_claims(exp=ABSENT))
    yield Mutation(attack="JW-17", name="expired", token=subject.with_claims(exp=past + 60, iat=past))


def _issuers(subject: _Subject) -> Iterator[Mutation]:
    ours = str(subject.claims["iss"])
    for value in (
        "https://other.example",
        ours + "/",
        ours.upper(),
        ours + "/t/other",
        ours + "\0",
        "",
        None,
        True,
        [ours],
        ABSENT,
    ):
        label = "absent" if value is ABSENT else repr(value)
        yield Mutation(attack="JW-21", name=f"iss {label}", token=subject.with_claims(iss=value))
