"""Write, or check, the pages of docs/reference and docs/standards that code and tests can tell by themselves.

`python -m tools.reference write` makes them anew; `check` fails with a list when a page differs, so that
a page can't drift from the code. Nothing is started and no test is run for it.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

from tools.claims import claims
from tools.commands import cli_page
from tools.coverage import coverage_page, standards_page
from tools.facts import errors_page, events_page, reasons_page
from tools.markdown import NOTE, ROOT
from tools.web import http_page, openapi_text

import remit
from remit.platform.settings import reference as settings_reference


def import_all() -> None:
    """Import every module of the package, so that every error and setting is known."""
    for found in pkgutil.walk_packages(remit.__path__, "remit."):
        if ".migrations." not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def pages() -> dict[str, str]:
    """Every generated file, by its path below `docs/`, with its text."""
    import_all()
    found = claims()
    return {
        "reference/errors.md": errors_page(),
        "reference/reasons.md": reasons_page(),
        "reference/events.md": events_page(),
        "reference/settings.md": _settings_page(),
        "reference/cli.md": cli_page(),
        "reference/http-api.md": http_page(),
        "reference/openapi.json": openapi_text(),
        "reference/coverage.md": coverage_page(found),
        "standards/clauses.md": standards_page(found),
    }


def _settings_page() -> str:
    title, _, rest = settings_reference.render().partition("\n\n")
    return f"{title}\n\n{NOTE}{rest}"


def main(verb: str) -> int:
    """Write the pages, or name those that differ."""
    if verb not in {"write", "check"}:
        print(f"unknown verb `{verb}`\nnext: make docs", file=sys.stderr)
        return 2
    stale = []
    for name, text in pages().items():
        path = ROOT / "docs" / name
        if verb == "write":
            _write(path, text)
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(ROOT)))
    if stale:
        print("differs from the code: " + ", ".join(stale) + "\nnext: make docs", file=sys.stderr)
    return 1 if stale else 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or ["check"]))
