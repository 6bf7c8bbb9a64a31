"""Where do the addresses in a call lead? A tool's argument that is a URL or a host is a way out (R133).

The tool's pinned mapping lists the hosts that it may be led to. Where it lists none, the public network is
open to it as far as rights, policy and provenance let it, and nothing else is: no address of this machine, of
a private network, of a cloud's metadata, however it is spelled. What can't be read is refused.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, NearestMiss, Stage
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot
from remit.decision.provenance.sensitive import Kind
from remit.decision.provenance.trace import kinds_of, leaves_of
from remit.kernel.canonical import MalformedJson, parse_object
from remit.kernel.places import WEB, Place, places_in

_WWW: Final = re.compile(r"(?<![\w@.-])www\.\w", re.IGNORECASE)
"""A link without its scheme; not the domain of a mail address."""
_LISTED: Final = 8
"""Hosts that a nearest miss names."""


def egress_stage(request: ActionRequest, snapshot: Snapshot) -> Finding | None:
    """May the call lead where its arguments lead? None where they lead nowhere."""
    del snapshot
    if request.tool is None:
        return None
    mapping, led = request.tool.mapping, False
    hosts = mapping.hosts if mapping is not None else ()
    for pointer, place in _ways_out(request, _kinds(request.tool.definition)):
        led = True
        why = _against(place, hosts)
        if why:
            return _refused(pointer, place, why, hosts)
    return Finding(stage=Stage.HISTORY, effect=Effect.PERMIT, detail=("egress",)) if led else None


def listed(place: Place, hosts: tuple[str, ...]) -> bool:
    """Whether a list names it: `api.example.com`, `*.example.com` (below it), `host:8443` (that port).

    `s3://bucket` names a scheme that is not the web's; without one, only http, https, ws and wss are meant.
    """
    return any(_names(entry, place) for entry in hosts)


def _names(entry: str, place: Place) -> bool:
    scheme, _, entry = entry.rpartition("://")
    if place.scheme != scheme if scheme else place.scheme not in {"", *WEB}:
        return False
    name, colon, port = entry.rpartition(":") if not entry.endswith("]") else (entry, "", "")
    host = (name if colon else entry).casefold()
    if colon and port != place.port:
        return False
    if host.startswith("*."):
        return place.address is None and place.host.endswith(host[1:])
    return place.host == host


def _ways_out(request: ActionRequest, kinds: Mapping[str, Kind]) -> Iterator[tuple[str, Place]]:
    for pointer, kind, text in leaves_of(request.call.arguments, kinds):
        if kind is Kind.CONTENT:
            continue
        if kind is Kind.HOST or _leads(text):
            # What lies deeper than is looked at comes without its text.
            places = places_in(text) if text else (Place(scheme="", host="", readable=False),)
            yield from ((pointer, place) for place in places)


def _leads(text: str) -> bool:
    """Whether a text that steers something else, or nothing known, names a place of the network too."""
    return "://" in text or text.lstrip().startswith(("//", "\\\\")) or _WWW.search(text) is not None


def _against(place: Place, hosts: tuple[str, ...]) -> str:
    if place.readable and hosts:
        return "" if listed(place, hosts) else "which is not among the tool's hosts"
    if not place.readable or (place.scheme and place.scheme not in WEB):
        return "which can't be read as an address of the web"
    return "which is not on the public network" if place.private else ""


def _refused(pointer: str, place: Place, why: str, hosts: tuple[str, ...]) -> Finding:
    shown = place.host or f"{place.scheme}:" if place.host or place.scheme else "no host"
    miss = NearestMiss(argument=pointer, one_of=hosts[:_LISTED]) if hosts else NearestMiss(never=True)
    return Finding(
        stage=Stage.HISTORY,
        effect=Effect.DENY,
        reasons=(reason(Code.EGRESS_REFUSED, argument=pointer, host=shown[:100], why=why),),
        nearest_miss=(miss,),
        detail=("egress",),
    )


@lru_cache(maxsize=1024)
def _kinds(definition: str) -> Mapping[str, Kind]:
    """What a tool's arguments steer, by its pinned definition."""
    try:
        schema = parse_object(definition.encode()).get("inputSchema")
    except MalformedJson:
        return {}
    return kinds_of(schema if isinstance(schema, dict) else {})
