"""What the build left: read once; only files of that folder by their own names are ever served."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

FOLDER: Final = Path(__file__).parent / "built"
_KINDS: Final[Mapping[str, str]] = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file whose name holds a digest of its bytes, so that it never changes; `packed` is its gzip."""

    kind: str
    whole: bytes
    packed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The page, with `REMIT-NONCE` and `REMIT-BASE` in it, and what it loads, by name."""

    page: str
    assets: Mapping[str, Asset]


def read_built(folder: Path = FOLDER) -> Built | None:
    """Everything that can be served, or None where nobody has built it."""
    page = folder / "index.html"
    if not page.is_file():
        return None
    found = {each.name: _asset(each) for each in (folder / "assets").iterdir() if each.suffix in _KINDS}
    return Built(page=page.read_text(encoding="utf-8"), assets=MappingProxyType(found))


def _asset(path: Path) -> Asset:
    packed = path.with_name(f"{path.name}.gz")
    return Asset(kind=_KINDS[path.suffix], whole=path.read_bytes(), packed=packed.read_bytes())
