"""Policy texts that come with the product: a start that asks where it matters, no substitute for yours."""

from importlib.resources import files


def default_text() -> str:
    """The text that a new installation publishes as its first version."""
    return files(__package__).joinpath("default.cedar").read_text(encoding="utf-8")
