"""KM-10: no secret is compared in a time that tells how much of it was right.

Time is not measured: every comparison in the source is found by its form, and one of a secret must be
`same_bytes` or `hmac.compare_digest`. What is looked up in the store is looked up by its digest.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import remit

SOURCE = Path(remit.__file__).parent
WORDS = frozenset(
    {
        "authenticator", "challenge", "cookie", "csrf", "hmac", "mac", "nonce", "otp", "passphrase",
        "password", "pepper", "pin", "secret", "secrets", "signature", "verifier",
    }
)  # fmt: skip
"""What secrets are called here; `reveal()` gives one whatever it is called."""
MAKERS = frozenset({"reveal", "digest", "hexdigest"})
MAKING = frozenset({"challenge_of", "digest_of_text"})
"""Methods and functions whose result is one, or is what one is known by."""
KEEPING = frozenset({"encode", "decode", "strip", "get", "pop", "lower", "upper", "hex"})
"""Calls whose result is as secret as what they are called on, or as what they are asked for."""
SAFE = frozenset({"same_bytes", "compare_digest"})
KNOWN = {
    "authority/credential_hop.py: said.get('nonce') == nonce": "both are in the request that is judged",
}
"""Comparisons that look like one of a secret and are none, with the reason."""


def is_secret(node: ast.expr) -> bool:
    """Whether an operand is a secret, or the code by which one is recognized."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return not name.isupper() and not WORDS.isdisjoint(name.lower().strip("_").split("_"))
        case ast.Call(func=ast.Attribute(value=inner, attr=name), args=args) if name in KEEPING:
            said = [each.value for each in args if isinstance(each, ast.Constant)]
            return is_secret(inner) or any(str(each).lower() in WORDS for each in said)
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in MAKERS or is_secret(ast.Name(id=name))
        case ast.Call(func=ast.Name(id=name)):
            return name in MAKING or is_secret(ast.Name(id=name))
        case ast.Subscript(value=inner, slice=place):
            return is_secret(inner) or (isinstance(place, ast.Constant) and str(place.value).lower() in WORDS)
        case _:
            return False


def is_plain(node: ast.expr) -> bool:
    """A word of the program, or a condition of a statement: no two secrets are compared here."""
    match node:
        case ast.Constant() | ast.Call(func=ast.Name(id="bindparam")):
            return True
        case ast.Name(id=name):
            return name.isupper()
        case _:
            return False


def leaking(tree: ast.AST) -> Iterator[ast.Compare]:
    """Comparisons of a secret that end at the first difference."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        operands = [node.left, *node.comparators]
        told = any(isinstance(each, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for each in node.ops)
        if told and any(map(is_secret, operands)) and not any(map(is_plain, operands)):
            yield node


def trees(*, naming: frozenset[str] = frozenset()) -> Iterator[tuple[str, ast.Module]]:
    """The modules of the source; only those that hold one of these words, if any are named."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not naming or any(word in text for word in naming):
            yield str(path.relative_to(SOURCE)), ast.parse(text)


class Hasty(ast.NodeTransformer):
    """Puts `==` in the place of every comparison in constant time."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in SAFE and len(node.args) == 2:
            return ast.copy_location(
                ast.Compare(left=node.args[0], ops=[ast.Eq()], comparators=[node.args[1]]), node
            )
        return node


@pytest.mark.attack("KM-10")
@pytest.mark.promise("P14")
def test_no_secret_is_compared_by_its_first_difference() -> None:
    found = {
        f"{name}: {ast.unparse(node)}" for name, tree in trees() for node in leaking(tree)
    } - KNOWN.keys()
    assert not found


@pytest.mark.twin("KM-10")
def test_an_equals_sign_that_is_planted_at_any_of_them_is_found() -> None:
    planted = {name for name, tree in trees(naming=SAFE) if any(leaking(Hasty().visit(tree)))}
    assert planted >= {
        "authority/oauth/endpoints/register.py",
        "authority/oauth/wire/pkce.py",
        "identity/ceremonies.py",
        "identity/upstream/id_token.py",
        "surface/web/pages/approval.py",
        "surface/web/session.py",
    }
