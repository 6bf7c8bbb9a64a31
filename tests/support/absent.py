"""A peer or tool that a test needs and the machine lacks: said loudly, and in CI never accepted."""

import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Fail a gate; elsewhere skip, saying what did not run."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: a gate may not go without it")
    pytest.skip(f"{what}: this did not run")
