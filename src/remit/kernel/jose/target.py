"""Target URIs of DPoP proofs, compared without what RFC 9449 §4.3 leaves out."""

import re
from functools import lru_cache
from typing import Final

from remit.kernel.errors import Invalid

LONGEST: Final = 2048
"""Characters of a target URI."""

_TARGET: Final = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://"
    r"(?P<host>[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!\"$->@-\[\]-~]*)?"  # printable ASCII without `#`, `?` and backslash
    r"(?:[?#][!-~]*)?"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@lru_cache(maxsize=512)
def comparable(uri: str) -> str:
    """Give the form in which two target URIs are compared.

    Query and fragment are dropped (RFC 9449 §4.3 step 9); scheme and host are lower-cased, a default port
    and an empty path are written one way (RFC 3986 §6.2.2.1, §6.2.3). Everything else stays byte for byte:
    we undo no percent-encoding and no dot segments, so no two paths that a server may treat apart become
    one. Raises `Invalid` for what is no absolute http(s) URI: user info, blanks, non-ASCII, backslashes.
    """
    found = _TARGET.fullmatch(uri) if len(uri) <= LONGEST else None
    if found is None:
        raise Invalid("target is not an absolute http or https URI")
    scheme, host = found["scheme"].lower(), found["host"].lower()
    port = int(found["port"] or _DEFAULT_PORTS[scheme])
    shown = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{host}{shown}{found['path'] or '/'}"
