"""The console's addresses: a page for every screen, assets by exact names, a sentence if nobody built it."""

import gzip
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from remit.kernel.ids import system_entropy
from remit.surface.web.console.built import Built, read_built
from remit.surface.web.console.pages import ConsolePages
from remit.surface.web.pages.mine import Own, Shows
from remit.surface.web.pages.paper import Paper

PAGE = (
    '<meta property="csp-nonce" nonce="REMIT-NONCE"><meta name="remit-base" content="REMIT-BASE">'
    '<script type="module" src="./assets/index-1.js"></script>'
)


class Everyone(Own):
    """Shows pages to anyone: who is signed in is another test's."""

    def __init__(self) -> None:
        self.paper = Paper(issuer="https://remit.example/t/acme", origin="https://remit.example")

    def page(self, shows: Shows) -> Callable[[Request], Awaitable[Response]]:
        async def shown(request: Request) -> Response:
            return await shows(request, None)  # type: ignore[arg-type]  # the console looks at no session

        return shown


def built(folder: Path) -> Built:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets/index-1.js").write_text("1")
    (folder / "assets/index-1.js.gz").write_bytes(gzip.compress(b"1"))
    (folder / "secret.txt").write_text("no")
    found = read_built(folder)
    assert found is not None
    return found


def client(folder: Path, found: Built | None) -> TestClient:
    pages = ConsolePages(own=Everyone(), built=found, base="/t/acme", entropy=system_entropy)
    return TestClient(Starlette(routes=pages.routes()), follow_redirects=False)


def test_every_screen_is_the_page_with_a_nonce_of_its_own(tmp_path: Path) -> None:
    browser = client(tmp_path, built(tmp_path / "built"))
    nonces = set()
    for path in ("/console/", "/console/decisions/dec_1", "/console/agents?range=7d"):
        got = browser.get(path)
        policy = got.headers["content-security-policy"]
        (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
        nonces.add(nonce)
        assert f'nonce="{nonce}"' in got.text
        assert 'src="/t/acme/console/assets/index-1.js"' in got.text
        assert 'content="/t/acme"' in got.text
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert got.headers["cache-control"] == "no-store"
    assert len(nonces) == 3
    assert browser.get("/").headers["location"] == "/console/"


@pytest.mark.attack("CO-15")
def test_assets_go_by_their_exact_names(tmp_path: Path) -> None:
    browser = client(tmp_path, built(tmp_path / "built"))
    packed = browser.get("/console/assets/index-1.js")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == "1"
    assert "immutable" in packed.headers["cache-control"]
    plain = browser.get("/console/assets/index-1.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for name in (
        "secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "index-1.js.gz",
        "index-1.js%00",
        "manifest.json",
    ):
        got = browser.get(f"/console/assets/{name}")
        assert "no" not in got.text.split(), name
        assert got.status_code == 404 or got.text.startswith("<meta"), name


@pytest.mark.twin("CO-15")
def test_a_server_that_joins_paths_gives_the_file_away(tmp_path: Path) -> None:
    built(tmp_path / "built")

    async def joined(request: Request) -> Response:
        return PlainTextResponse((tmp_path / "built/assets" / request.path_params["name"]).read_text())

    app = Starlette()
    app.add_route("/console/assets/{name:path}", joined)
    assert TestClient(app).get("/console/assets/%2e%2e/secret.txt").text == "no"


def test_without_a_build_the_page_says_how_to_make_one(tmp_path: Path) -> None:
    got = client(tmp_path, read_built(tmp_path)).get("/console/decisions")
    assert got.status_code == 503
    assert "make console" in got.text
