"""The SDK stands on the standard library and `cryptography`, and on nothing of the server."""

import ast
import sys
from pathlib import Path

import remit_sdk

LAWFUL = sys.stdlib_module_names | {"cryptography", "remit_sdk"}


def test_nothing_else_is_imported() -> None:
    files = list(Path(remit_sdk.__file__).parent.glob("*.py"))
    assert len(files) > 5
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= LAWFUL, file.name
