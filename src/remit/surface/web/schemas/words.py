"""Types of single values, with the bounds that OpenAPI shows."""

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

from remit.identity.metering import Meter
from remit.surface.web.paging import IDENT

Ident: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=IDENT)]
"""An id or a name."""
Name: TypeAlias = Annotated[
    str, msgspec.Meta(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
]
"""The name of an agent, blueprint, server: a DNS label, since it stands in paths and SPIFFE IDs."""
Line: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
"""One sentence of a person."""
Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=65536)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=9_007_199_254_740_991)]
Amounts: TypeAlias = Annotated[dict[Meter, Count], msgspec.Meta(max_length=len(Meter))]
"""How much of each meter, in its units."""
Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339 with an offset; shown in UTC."""
Email: TypeAlias = Annotated[str, msgspec.Meta(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Jws: TypeAlias = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=16384, pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"),
]
"""A JWS in compact serialization (RFC 7515 §3.1)."""
EnvelopeText: TypeAlias = Annotated[
    str, msgspec.Meta(min_length=1, max_length=180_224, pattern=r"^[A-Za-z0-9_.~-]+$")
]
"""`root~hop1~…`, at most ten hops."""
