"""Frozen values, built at the price of mutable ones: for the few types that every call makes anew.

A frozen dataclass sets each field through `object.__setattr__`, by name. Here the fields are set on a mutable
twin of the same slots, which then becomes the frozen class. Same arguments, same value, a third of the time.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")

_BODY: Final = "    new = twin()\n{assignments}    new.__class__ = frozen\n    return new\n"


def builder(frozen: Callable[P, T]) -> Callable[P, T]:
    """Give a function that does what the constructor of a frozen, slotted, kw_only dataclass does.

    The class MUST be plain: no base with fields, no `__post_init__`, no `field(default_factory=…)`.
    Raises `TypeError` for any other, at import.
    """
    known = _plain_fields(frozen)
    defaults = {f"default_{each.name}": each.default for each in known if each.default is not MISSING}
    taken = "".join(
        f", {each.name}" + (f"=default_{each.name}" if f"default_{each.name}" in defaults else "")
        for each in known
    )
    assignments = "".join(f"    new.{each.name} = {each.name}\n" for each in known)
    built: Callable[P, T] = _compiled(f"def build(*{taken}):\n", assignments, frozen, defaults)
    return built


def changer(frozen: Callable[..., T], name: str, _type: type[V]) -> Callable[[T, V | None], T]:
    """Give a function that copies a value with that one field changed, as `dataclasses.replace` would."""
    known = _plain_fields(frozen)
    if name not in {each.name for each in known}:
        raise TypeError(f"`{name}` is no field of `{frozen}`")
    assignments = "".join(
        f"    new.{each.name} = {'value' if each.name == name else f'old.{each.name}'}\n" for each in known
    )
    changed: Callable[[T, V | None], T] = _compiled("def build(old, value):\n", assignments, frozen, {})
    return changed


def _plain_fields(frozen: Callable[..., Any]) -> tuple[Field[Any], ...]:
    known = fields(frozen)  # type: ignore[arg-type]  # raises `TypeError` itself for what is no dataclass
    plain = (
        isinstance(frozen, type)
        and frozen.__dataclass_params__.frozen  # type: ignore[attr-defined]  # `fields` has seen a dataclass
        and frozen.__bases__ == (object,)
        and frozen.__dict__.get("__slots__") == tuple(each.name for each in known)
        and not hasattr(frozen, "__post_init__")
        and all(each.init and each.default_factory is MISSING for each in known)
    )
    if not plain:
        raise TypeError(f"`{frozen}` is not a plain frozen dataclass with slots")
    return known


def _compiled(head: str, assignments: str, frozen: Callable[..., Any], names: dict[str, Any]) -> Any:
    slots = frozen.__slots__  # type: ignore[attr-defined]  # `_plain_fields` has seen them
    # SAFETY: nobody else holds `new` before it is frozen; CPython refuses the assignment of a class whose
    # slots differ, so a twin that does not fit fails at the first call, whatever the arguments.
    known = {"twin": type("Twin", (), {"__slots__": slots}), "frozen": frozen, **names}
    # SAFETY: the text is made of the names of fields alone, which are identifiers of this source.
    exec(head + _BODY.format(assignments=assignments), known)  # noqa: S102 - as `dataclasses` itself does
    return known["build"]
