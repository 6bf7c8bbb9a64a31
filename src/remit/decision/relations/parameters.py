"""The values of condition parameters: from JSON to what CEL is to see, as OpenFGA converts them."""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from remit.decision.relations.model import ParameterKind, ParameterType
from remit.kernel.canonical import Json

_UINT_TOP: Final = 2**64
_INT_TOP: Final = 2**63
_DURATION_LENGTH: Final = 64


class Misfit(Exception):
    """A value that is not of the parameter's type; the text says why."""


def typed(kind: ParameterType, value: Json) -> object:
    """A value as CEL is to see it; raises `Misfit`."""
    if kind.kind is ParameterKind.LIST and kind.of is not None:
        if not isinstance(value, list):
            raise Misfit(f"expected a list, but found `{_said(value)}`")
        return [typed(kind.of, item) for item in value]
    if kind.kind is ParameterKind.MAP and kind.of is not None:
        if not isinstance(value, dict):
            raise Misfit(f"expected a map, but found `{_said(value)}`")
        return {key: typed(kind.of, item) for key, item in value.items()}
    return _TYPED[kind.kind](value)


def _said(value: Json) -> str:
    return type(value).__name__ if isinstance(value, list | dict) else str(value)[:80]


def _bool(value: Json) -> object:
    if not isinstance(value, bool):
        raise Misfit(f"expected a bool, but found `{_said(value)}`")
    return value


def _string(value: Json) -> object:
    if not isinstance(value, str):
        raise Misfit(f"expected a string, but found `{_said(value)}`")
    return value


def _whole(value: Json) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,20}(\.0*)?", value):
        return int(value.partition(".")[0])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misfit(f"expected a whole number, but found `{_said(value)}`")
    return value


def _int(value: Json) -> object:
    number = _whole(value)
    if not -_INT_TOP <= number < _INT_TOP:
        raise Misfit(f"`{number}` is no 64 bit integer")
    return number


def _uint(value: Json) -> object:
    number = _whole(value)
    if not 0 <= number < _UINT_TOP:
        raise Misfit(f"`{number}` is no unsigned 64 bit integer")
    return number


def _double(value: Json) -> object:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Misfit(f"expected a finite number, but found `{_said(value)}`")
    return float(value)


_UNITS: Final = {"h": 3_600e6, "m": 60e6, "s": 1e6, "ms": 1e3, "us": 1.0, "µs": 1.0, "μs": 1.0, "ns": 1e-3}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|μs|ns)")


def _duration(value: Json) -> object:
    """Go's durations: `1h30m`, `-1.5s`."""
    text = value if isinstance(value, str) else ""
    bare = text.lstrip("+-") if text[:2] not in {"--", "++", "+-", "-+"} else ""
    parts = _PART.findall(bare)
    if not parts or len(text) > _DURATION_LENGTH or "".join(number + unit for number, unit in parts) != bare:
        raise Misfit(f"expected a duration such as `1h30m`, but found `{_said(value)}`")
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return timedelta(microseconds=-total if text.startswith("-") else total)
    except OverflowError as error:
        raise Misfit(f"duration `{text}` is out of range") from error


_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def _timestamp(value: Json) -> object:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise Misfit(f"expected an RFC 3339 timestamp, but found `{_said(value)}`")
    whole, dot, rest = value.upper().partition(".")
    digits = re.match(r"\d*", rest)
    fraction = digits[0] if digits else ""
    text = f"{whole}.{fraction[:6]:0<6}{rest[len(fraction) :]}" if dot else whole
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Misfit(f"expected an RFC 3339 timestamp, but found `{value}`") from error


def _address(value: Json) -> str:
    if not isinstance(value, str) or "/" in value:
        raise Misfit(f"expected an IP address, but found `{_said(value)}`")
    try:
        address = ipaddress.ip_address(value)
    except ValueError as error:
        raise Misfit(f"expected an IP address, but found `{_said(value)}`") from error
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _in_cidr(address: str, cidr: str) -> bool:
    """OpenFGA's `in_cidr`; addresses and networks of IPv4 in IPv6 form are taken as IPv4."""
    network = ipaddress.ip_network(cidr, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:  # noqa: PLR2004 - ::ffff:0:0/96 holds IPv4
        network = ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}", strict=False)
    return ipaddress.ip_address(_address(address)) in network


_TYPED: Final[Mapping[ParameterKind, Callable[[Json], object]]] = {
    ParameterKind.ANY: lambda value: value,
    ParameterKind.BOOL: _bool,
    ParameterKind.STRING: _string,
    ParameterKind.INT: _int,
    ParameterKind.UINT: _uint,
    ParameterKind.DOUBLE: _double,
    ParameterKind.DURATION: _duration,
    ParameterKind.TIMESTAMP: _timestamp,
    ParameterKind.IPADDRESS: _address,
}


FUNCTIONS: Final[dict[str, Callable[..., object]]] = {"in_cidr": _in_cidr, "ipaddress": _address}
