"""What every client needs of an authorization server's metadata (RFC 8414, OpenID Connect Discovery)."""

from collections.abc import Iterator
from typing import Any, Final

from remit.kernel.errors import RemitError
from remit.surface.cli.diagnosis.finding import Finding, either, ill, well
from remit.surface.cli.diagnosis.reach import document, is_protected

_SECRETS: Final = frozenset({"client_secret_basic", "client_secret_post", "client_secret_jwt"})
_SIGNING: Final = frozenset({"RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"})
_LEAST_RSA: Final = 342
"""Characters of base64url that a modulus of 2048 bits has."""


def texts(value: Any) -> list[str]:
    """The strings of a list; nothing for anything else."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def same_issuer(metadata: dict[str, Any], asked: str) -> Finding:
    """RFC 8414 §3.3: the issuer in the document equals the one that was asked for, byte for byte."""
    said = metadata.get("issuer")
    return either(
        "issuer",
        ok=said == asked,
        well=asked,
        ill=f"says `{said}`, asked for `{asked}`",
        fix=f"set the issuer of the authorization server to `{asked}`, or name it `{said}` everywhere",
    )


def authorize(metadata: dict[str, Any]) -> Iterator[Finding]:
    """The front door: code flow, PKCE with S256, `iss` in the answer (RFC 7636 §4.2, RFC 9207 §3)."""
    address = metadata.get("authorization_endpoint")
    if not isinstance(address, str):
        yield ill("authorize", "no `authorization_endpoint`", "turn the authorization code grant on")
        return
    if not is_protected(address):
        yield ill("authorize", f"`{address}` is not https", "serve it over TLS")
        return
    if "S256" not in texts(metadata.get("code_challenge_methods_supported")):
        yield ill(
            "authorize",
            "`code_challenge_methods_supported` lacks S256; MCP clients refuse to go on",
            "require PKCE with S256 and say so in the metadata",
        )
        return
    named = metadata.get("authorization_response_iss_parameter_supported") is True
    yield well("authorize", f"S256, {'iss returned' if named else 'no iss: only for clients of one issuer'}")


def client_authentication(metadata: dict[str, Any]) -> Finding:
    """How clients prove themselves at the token endpoint; a secret alone is nothing for an agent."""
    methods = texts(metadata.get("token_endpoint_auth_methods_supported")) or ["client_secret_basic"]
    without = [method for method in methods if method not in _SECRETS]
    return either(
        "token endpoint",
        ok=isinstance(metadata.get("token_endpoint"), str) and bool(without),
        well=", ".join(without),
        ill="no `token_endpoint`" if "token_endpoint" not in metadata else "clients need a shared secret",
        fix="allow `private_key_jwt`, or `none` with PKCE for public clients",
    )


def keys(metadata: dict[str, Any]) -> Finding:
    """RFC 7517 §4, §5: at least one public key that signs, each with a `kid`, none symmetric, none short."""
    address = metadata.get("jwks_uri")
    if not isinstance(address, str) or not is_protected(address):
        return ill("keys", f"`jwks_uri` is `{address}`", "publish the keys over https and name the address")
    try:
        found = document(address).get("keys")
    except RemitError as failed:
        return ill("keys", failed.hint, failed.next_step or "publish the keys")
    entries = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    wrong = next((fault for each in entries if (fault := _fault(each))), "" if entries else "set is empty")
    return either(
        "keys",
        ok=not wrong,
        well=f"{len(entries)} at {address}",
        ill=wrong,
        fix="publish public signing keys with `kid`, RSA of 2048 bits or more",
    )


def signing(metadata: dict[str, Any], member: str, step: str) -> Finding:
    """Whether tokens are signed by an algorithm that is accepted here (RFC 8725 §3.1)."""
    named = texts(metadata.get(member))
    usable = [name for name in named if name in _SIGNING]
    return either(
        step,
        ok=bool(usable),
        well=", ".join(usable),
        ill=f"`{member}` names {', '.join(named) or 'nothing'}",
        fix="sign with RS256, PS256, ES256, ES384 or Ed25519",
    )


def _fault(key: dict[str, Any]) -> str:
    kid = key.get("kid")
    if key.get("kty") == "oct" or any(part in key for part in ("d", "p", "q", "k")):
        return f"key `{kid}` is secret"
    if not isinstance(kid, str) or not kid:
        return "a key has no `kid`"
    if key.get("kty") == "RSA" and len(str(key.get("n", ""))) < _LEAST_RSA:
        return f"key `{kid}` is RSA of less than 2048 bits"
    return ""
