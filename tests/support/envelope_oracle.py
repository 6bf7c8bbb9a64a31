"""A second verifier of envelopes, from the description alone: PyJWT, sets and dicts.

Shares no code with `remit.authority`: what both accept is what the description says.
"""

import hashlib
import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import jwt

from support.builders import TRUST_DOMAIN, Cast
from support.jose import ISSUER

_PART = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_CEILING = {"rights", "window", "caps", "depth", "purpose"}
_RECORDED = {"by", "key", "scope"}
_HOP = {"iss", "next", "kind", "ceiling", "txn", "depth", "prev", "iat", "exp"}


def oracle_accepts(text: str, cast: Cast, *, at: datetime) -> bool:
    """Whether the description accepts the text at that moment."""
    try:
        return _accepts(text, cast, int(at.timestamp()))
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return False


def _accepts(text: str, cast: Cast, now: int) -> bool:
    parts = text.split("~")
    if len(parts) > 11 or not all(_PART.fullmatch(part) and len(part) <= 16384 for part in parts):
        return False
    ours = {str(cast.ours.record.kid): cast.ours.record.public.jwk()}
    root = _open(parts[0], ours, "txntoken+jwt")
    scope = set(root["scope"].split())
    if root["iss"] != ISSUER or root["aud"] != TRUST_DOMAIN or root["sub"] not in cast.sources:
        return False
    if not root["iat"] - 30 <= now < root["exp"]:
        return False
    keys = {
        str(member.key.record.kid): member.key.record.public.jwk()
        for member in cast.actors.values()
        if member.instance not in cast.dead
        and member.key.record.kid not in cast.revoked
        and member.key.record.tenant == cast.ours.record.tenant
    }
    seen, named, parent = {root["may_act"]["sub"]}, root["may_act"]["sub"], root
    for position, part in enumerate(parts[1:], start=1):
        recorded = _header(part)["typ"] == "remit-lnk+jwt"
        hop = _open(part, ours, "remit-lnk+jwt") if recorded else _open(part, keys, "remit-env+jwt")
        if recorded:
            owner = next(m for m in cast.actors.values() if m.instance == hop["by"])
            held = str(owner.key.record.kid) in keys and owner.key.record.public.thumbprint == hop["key"]
            words = set(hop["scope"].split())
            named_so = hop["iss"] == root["iss"] and set(hop) - {"on"} == _HOP | _RECORDED
            if not hop.get("on", True) or not held or not named_so or not ("task" in scope or words <= scope):
                return False
            scope = words
        else:
            owner = next(m for m in cast.actors.values() if m.key.record.kid == _header(part)["kid"])
        prefix = hashlib.sha256("~".join(parts[:position]).encode("ascii")).hexdigest()
        good = (
            (recorded or (set(hop) == _HOP and hop["iss"] == owner.instance))
            and owner.agent == named
            and hop["prev"] == prefix
            and (hop["txn"], hop["depth"]) == (root["txn"], position)
            and hop["kind"] in {"attenuate", "broker"}
            and hop["next"] not in seen
            and hop["iat"] - 30 <= now < hop["exp"] + (0 if recorded else 30)
            and hop["exp"] <= parent["exp"]
            and hop["iat"] >= parent["iat"] - 30
            and hop["ceiling"]["depth"] < parent["ceiling"]["depth"]
            and _inside(hop["ceiling"], parent["ceiling"])
        )
        if not good:
            return False
        seen.add(hop["next"])
        named, parent = hop["next"], hop
    return True


def _header(part: str) -> dict[str, Any]:
    return jwt.get_unverified_header(part)


def _open(part: str, keys: dict[str, Any], typ: str) -> dict[str, Any]:
    header = _header(part)
    if set(header) - {"alg", "kid", "typ"} or header["typ"] != typ or header["alg"] != "Ed25519":
        raise ValueError(header)
    key = jwt.PyJWK.from_dict({**keys[header["kid"]], "alg": "EdDSA"}).key
    signing_input, _, signature = part.rpartition(".")
    algorithm = jwt.get_algorithm_by_name("EdDSA")
    if not algorithm.verify(signing_input.encode(), key, jwt.utils.base64url_decode(signature)):
        raise ValueError("signature")
    for segment in part.split("."):
        if jwt.utils.base64url_encode(jwt.utils.base64url_decode(segment)).decode() != segment:
            raise ValueError("not canonical")
    body: dict[str, Any] = json.loads(jwt.utils.base64url_decode(part.split(".")[1]))
    return body


def _inside(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    if set(inner) != _CEILING or outer["purpose"] not in {inner["purpose"], "any"}:
        return False
    if inner["window"]["start"] < outer["window"]["start"] or inner["window"]["end"] > outer["window"]["end"]:
        return False
    for name in ("calls", "per_minute"):
        limit = outer["caps"].get(name)
        if limit is not None and (inner["caps"].get(name) is None or inner["caps"][name] > limit):
            return False
    for currency, limit in outer["caps"].get("money", {}).items():
        if inner["caps"].get("money", {}).get(currency, limit + 1) > limit:
            return False
    return all(any(_right_inside(right, wide) for wide in outer["rights"]) for right in inner["rights"])


def _right_inside(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    if (inner["action"], inner["resource_type"]) != (outer["action"], outer["resource_type"]):
        return False
    if outer["resources"] != "any" and (
        inner["resources"] == "any" or set(inner["resources"]) - set(outer["resources"])
    ):
        return False
    own = {bound["pointer"]: bound for bound in inner["constraints"]}
    return all(_tighter(own.get(bound["pointer"]), bound) for bound in outer["constraints"])


def _tighter(inner: dict[str, Any] | None, outer: dict[str, Any]) -> bool:
    if inner is None:
        return False
    if "one_of" in outer and not set(inner.get("one_of", ["\x00"])) <= set(outer["one_of"]):
        return False
    low, high = outer.get("at_least"), outer.get("at_most")
    values = [Decimal(value) for value in inner.get("one_of", ())]
    lowest = min(values) if values else inner.get("at_least")
    highest = max(values) if values else inner.get("at_most")
    if low is not None and (lowest is None or Decimal(lowest) < Decimal(low)):
        return False
    return high is None or (highest is not None and Decimal(highest) <= Decimal(high))
