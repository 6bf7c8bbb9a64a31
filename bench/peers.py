"""Peers from PyPI, each in a virtual environment of its own, from the exact files that the locks name.

`bench/peers/*.lock` pin every file by hash; `bench/out/.venvs` keeps the environments between runs.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import jwt
from bench.children import Child, child, free_port
from bench.figures import OUT

LOCKS: Final = Path(__file__).parent / "peers"
_USER: Final = "user@company.com"
_INSTALL_SECONDS: Final = 600
_MIGRATION_SECONDS: Final = 240
"""ContextForge makes its tables, one migration after another, before it listens."""


class Missing(Exception):
    """A peer can't be installed or doesn't serve; why."""


def environment(name: str) -> Path:
    """The peer's own `bin`; installed on first use, and anew when its lock has changed."""
    lock, home = LOCKS / f"{name}.lock", OUT / ".venvs" / name
    stamp = home / ".lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(home))
        _run(
            uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(home / "bin" / "python"),
            str(lock),
        )  # fmt: skip
        stamp.write_bytes(lock.read_bytes())
    return home / "bin"


def node_peer(name: str) -> list[str]:
    """The command of a peer from npm; its exact packages are installed on first use, no script is run."""
    home = node_package(name).parent
    shutil.copy(LOCKS / name / "server.mjs", home / "server.mjs")
    return [str(Path(sys.executable).parent / "node"), str(home / "server.mjs")]


def node_package(name: str) -> Path:
    """The `node_modules` of a peer's lock, installed on first use, and anew when its lock has changed."""
    source, home = LOCKS / name, OUT / ".node" / name
    lock = (source / "package-lock.json").read_bytes()
    stamp = home / ".lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for each in ("package.json", "package-lock.json"):
            shutil.copy(source / each, home / each)
        npm = str(Path(sys.executable).parent / "npm")
        _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=home)
        stamp.write_bytes(lock)
    return home / "node_modules"


def _run(*words: str, cwd: Path | None = None) -> None:
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    try:
        done = subprocess.run(
            words, cwd=cwd, env=environ, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise Missing(f"{words[0]}: {failed}") from failed
    if done.returncode:
        raise Missing(f"{' '.join(words[:3])}: {done.stderr.strip()[-500:]}")


def fastmcp(folder: Path, *, upstream: str, port: int) -> list[str]:
    """The command of a plain fastmcp proxy before the server."""
    script = folder / "proxy.py"
    script.write_text(
        "from fastmcp.server import create_proxy\n"
        f"create_proxy({upstream!r}, name='proxy').run(\n"
        f"    transport='http', host='127.0.0.1', port={port}, path='/mcp', show_banner=False,\n"
        "    log_level='error')\n",
        encoding="utf-8",
    )
    return [str(environment("fastmcp") / "python"), str(script)]


@contextmanager
def contextforge(folder: Path, *, upstream: str) -> Iterator[tuple[Child, str, str]]:
    """ContextForge with the server registered and offered as one virtual server: child, path, token."""
    port, secret = free_port(), secrets.token_urlsafe(48)
    home = folder / "contextforge"
    home.mkdir()
    environ = _environ(home, port, secret)
    words = [
        str(environment("contextforge") / "mcpgateway"), "mcpgateway.main:app", "--host", "127.0.0.1",
        "--port", str(port), "--log-level", "error", "--no-access-log",
    ]  # fmt: skip
    with child(
        words, port=port, log=folder / "contextforge.log", environ=environ, seconds=_MIGRATION_SECONDS
    ) as started:
        token = _token(secret)
        path = _register(f"http://127.0.0.1:{port}", token, upstream)
        yield started, path, token


def _environ(home: Path, port: int, secret: str) -> dict[str, str]:
    """Settings: no interface, no plugins, no telemetry, memory for a cache, loopback, any rate."""
    return {
        "DATABASE_URL": f"sqlite:///{home / 'mcp.db'}",
        "CACHE_TYPE": "memory",
        "JWT_SECRET_KEY": secret,
        "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
        "PLATFORM_ADMIN_EMAIL": _USER,
        "PLATFORM_ADMIN_PASSWORD": secrets.token_urlsafe(24),
        "BASIC_AUTH_PASSWORD": secrets.token_urlsafe(24),
        "MCPGATEWAY_UI_ENABLED": "false",
        "MCPGATEWAY_ADMIN_API_ENABLED": "false",
        "LOG_LEVEL": "ERROR",
        "PLUGINS_ENABLED": "false",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "ENVIRONMENT": "development",
        "OBSERVABILITY_ENABLED": "false",
        "SSRF_ALLOW_LOCALHOST": "true",
        "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
        "REQUIRE_USER_IN_DB": "false",
        "USE_STATEFUL_SESSIONS": "false",
        "RATE_LIMITING_ENABLED": "false",
    }


def _token(secret: str) -> str:
    now = int(time.time())
    claims = {
        "username": _USER, "sub": _USER, "iat": now, "exp": now + 3600, "jti": secrets.token_hex(16),
        "iss": "mcpgateway", "aud": "mcpgateway-api", "is_admin": True, "teams": None,
        "user": {"email": _USER, "full_name": "user", "is_admin": True, "auth_provider": "local"},
    }  # fmt: skip
    return jwt.encode(claims, secret, algorithm="HS256")


def _register(url: str, token: str, upstream: str) -> str:
    """Register the server, make a virtual server of its tools; the path of its MCP endpoint."""
    with httpx2.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60.0, trust_env=False
    ) as http:
        gateway = {"name": "business", "url": upstream, "transport": "STREAMABLEHTTP"}
        _checked(http.post("/gateways", json=gateway))
        tools = _checked(http.get("/tools"))
        items = tools if isinstance(tools, list) else tools.get("tools", [])
        chosen = [tool["id"] for tool in items if str(tool["name"]).startswith("business")]
        server = _checked(
            http.post("/servers", json={"server": {"name": "bench", "associated_tools": chosen}})
        )
        return f"/servers/{server['id']}/mcp"


def _checked(answer: httpx2.Response) -> Any:
    if answer.status_code >= httpx2.codes.BAD_REQUEST:
        raise Missing(f"ContextForge: {answer.status_code} {answer.text[:300]}")
    return json.loads(answer.content)
