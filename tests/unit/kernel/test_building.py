"""Frozen values that are built through a mutable twin: equal, and as frozen, from the same arguments."""

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.building import builder, changer


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    name: str
    floor: int = 0
    tags: tuple[str, ...] = ()


_place = builder(Place)
_on_floor = changer(Place, "floor", int)


@given(st.text(max_size=3), st.integers(), st.lists(st.text(max_size=2), max_size=2).map(tuple))
def test_a_built_value_is_the_constructed_one(name: str, floor: int, tags: tuple[str, ...]) -> None:
    constructed, built = Place(name=name, floor=floor, tags=tags), _place(name=name, floor=floor, tags=tags)
    assert type(built) is Place
    assert (built, hash(built), repr(built)) == (constructed, hash(constructed), repr(constructed))
    assert [getattr(built, each.name) for each in fields(built)] == [name, floor, tags]
    assert _place(name=name) == Place(name=name)
    assert replace(built, floor=1) == _on_floor(built, 1) == Place(name=name, floor=1, tags=tags)
    assert _on_floor(built, None).floor is None
    assert built.floor == floor


def test_a_built_value_is_frozen_and_holds_nothing_else() -> None:
    built = _place(name="a")
    with pytest.raises(FrozenInstanceError):
        built.name = "b"  # type: ignore[misc]  # the point of the test
    with pytest.raises(FrozenInstanceError):
        del built.name
    with pytest.raises((TypeError, AttributeError, FrozenInstanceError)):
        object.__setattr__(built, "other", 1)
    assert not hasattr(built, "__dict__")


def test_wrong_arguments_are_refused_as_the_constructor_refuses_them() -> None:
    for wrong in ({}, {"floor": 1}, {"name": "a", "other": 1}):
        for make in (Place, _place):
            with pytest.raises(TypeError):
                make(**wrong)


def test_only_plain_frozen_dataclasses_with_slots_are_built() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Loose:
        name: str

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        name: str

        def __post_init__(self) -> None:
            raise ValueError(self.name)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Growing:
        names: list[str] = field(default_factory=list)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Longer(Place):
        door: str

    @dataclass(slots=True, kw_only=True)
    class Mutable:
        name: str

    for unfit in (Loose, Checked, Growing, Longer, Mutable, int):
        with pytest.raises(TypeError):
            builder(unfit)
    with pytest.raises(TypeError):
        changer(Place, "other", int)
