"""Where the agent runs, and what proves it there: a key file, or what the platform says of the workload.

`find` looks in this order and takes the first that is there:
1 `REMIT_KEY`, a key file (a laptop; or whatever `remit agent join` wrote)
2 `REMIT_SVID_FILE`, a file with a JWT-SVID (SPIFFE)
3 `REMIT_ASSERTION_FILE`, or `/var/run/secrets/remit/token`: a projected service account token (Kubernetes)
4 `ACTIONS_ID_TOKEN_REQUEST_URL` with its token (GitHub Actions)
5 `REMIT_ID_TOKEN` (GitLab)
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from remit_sdk import wire
from remit_sdk.errors import NoProof, Unreachable
from remit_sdk.keys import StoredKey, read_key

PROJECTED = Path("/var/run/secrets/remit/token")
_OK = 200


@dataclass(frozen=True)
class KeyFile:
    """The agent's own key: it lasts, and is registered."""

    stored: StoredKey


@dataclass(frozen=True)
class Vouched:
    """A platform vouches for the workload; `fetch` gives what it says now, to be shown once.

    `svid`: it is a client's proof (JWT-SVID), and no grant.
    """

    name: str
    fetch: Callable[[], str]
    svid: bool = False


Proof = KeyFile | Vouched


def find(environ: Mapping[str, str], *, audience: str, projected: Path = PROJECTED) -> Proof:
    """The first proof that is there. Raises `NoProof`, which names all places that were looked at."""
    key = environ.get("REMIT_KEY", "")
    if key and Path(key).expanduser().exists():
        return KeyFile(read_key(Path(key).expanduser()))
    if svid := environ.get("REMIT_SVID_FILE", ""):
        return Vouched("spiffe", _file(Path(svid)), svid=True)
    stated = environ.get("REMIT_ASSERTION_FILE", "")
    if stated or projected.exists():
        return Vouched("kubernetes", _file(Path(stated) if stated else projected))
    if url := environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", ""):
        bearer = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
        return Vouched("github-actions", lambda: _github(url, bearer, audience))
    if token := environ.get("REMIT_ID_TOKEN", ""):
        return Vouched("gitlab", lambda: token)
    raise NoProof(
        "nothing here proves who this agent is: no REMIT_KEY file, no REMIT_SVID_FILE, no projected token at "
        f"`{projected}`, no ACTIONS_ID_TOKEN_REQUEST_URL, no REMIT_ID_TOKEN",
        code="no_proof",
        next_step="remit agent init NAME --target TARGET",
    )


def _file(path: Path) -> Callable[[], str]:
    """Read anew each time: platforms write the next one over it."""

    def read() -> str:
        try:
            text = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as broken:
            raise NoProof(f"`{path}` cannot be read", code="proof_unreadable") from broken
        if not text:
            raise NoProof(f"`{path}` is empty", code="proof_empty")
        return text

    return read


def _github(url: str, bearer: str, audience: str) -> str:
    mark = "&" if "?" in url else "?"
    answer = wire.send(
        "GET", f"{url}{mark}audience={quote(audience, safe='')}", {"authorization": f"Bearer {bearer}"}
    )
    try:
        token = json.loads(answer.body)["value"] if answer.status == _OK else None
    except (ValueError, KeyError, TypeError):
        token = None
    if not isinstance(token, str):
        raise Unreachable(
            "GitHub gave no token for this job", code="github", next_step="permissions: id-token: write"
        )
    return token
