"""The clock that doubts itself: steps back open generations, steps ahead are suspect."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.clock import BACKWARD, FORWARD, Clock, SystemClock
from support.clock import NOON, FixedClock


class Machine:
    """The two clocks of a machine, moved by hand."""

    def __init__(self) -> None:
        self.wall = NOON
        self.boot = 1000.0

    def run(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.boot += seconds

    def step(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)

    def clock(self, **stored: object) -> SystemClock:
        return SystemClock(wall=lambda: self.wall, boot=lambda: self.boot, **stored)  # type: ignore[arg-type]  # names of its own


@pytest.mark.promise("P16")
@pytest.mark.parametrize("seconds", [-86_400.0, -60.0, -6.0])
def test_a_step_back_opens_a_generation(seconds: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.step(seconds)
    clock.now()
    assert clock.generation() == 1
    machine.run(3600)
    clock.now()
    assert clock.generation() == 1
    assert not clock.suspect()


@pytest.mark.promise("P16")
def test_small_steps_back_add_up() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(3):
        machine.step(-2)
        clock.now()
    assert clock.generation() == 1


@pytest.mark.promise("P16")
def test_a_step_back_is_seen_even_if_nobody_asked_for_an_hour() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(3600)
    machine.step(-1800)
    clock.now()
    assert clock.generation() == 1


def test_a_clock_that_wavers_within_five_seconds_is_the_same_clock() -> None:
    machine = Machine()
    clock = machine.clock()
    for seconds in (-4, 4, -3, 2, -2):
        machine.step(seconds)
        machine.run(10)
        clock.now()
    assert clock.generation() == 0


@pytest.mark.promise("P16")
def test_a_step_ahead_is_suspect_and_does_not_raise_the_mark() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.step(86_400)
    assert clock.now() == NOON + timedelta(days=1)  # the later time: what has expired by it is expired
    assert clock.suspect()
    assert clock.high_water() == NOON
    assert clock.generation() == 0


@pytest.mark.promise("P16")
def test_when_a_clock_returns_from_a_step_ahead_service_is_normal_and_the_step_is_dead() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.step(86_400)
    clock.now()
    machine.run(600)
    machine.step(-86_400)
    assert clock.now() == NOON + timedelta(seconds=600)
    assert not clock.suspect()
    assert clock.generation() == 1  # what was minted with tomorrow's date is refused


@pytest.mark.promise("P16")
def test_when_a_clock_returns_from_a_step_back_service_is_normal() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.step(-86_400)
    clock.now()
    machine.run(60)
    machine.step(86_400)
    clock.now()
    assert not clock.suspect()
    assert clock.generation() == 1


def test_a_minute_ahead_is_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.step(59)
    assert clock.now() == NOON + timedelta(seconds=59)
    assert not clock.suspect()
    assert clock.high_water() == NOON + timedelta(seconds=59)


def test_an_operator_may_confirm_a_step_ahead() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.step(3600)
    clock.now()
    clock.confirm_step()
    assert not clock.suspect()
    assert clock.high_water() == NOON + timedelta(hours=1)
    assert clock.generation() == 0


@pytest.mark.promise("P16")
def test_a_restart_remembers_how_late_it_was() -> None:
    machine = Machine()
    late = machine.clock(generation=4, high_water=NOON + timedelta(hours=24))
    assert late.generation() == 5
    assert machine.clock(generation=4, high_water=NOON + timedelta(seconds=4)).generation() == 4
    assert machine.clock(generation=4, high_water=NOON - timedelta(days=3)).generation() == 4


@pytest.mark.twin("P16")
def test_a_clock_without_a_stored_mark_revives_what_expired() -> None:
    machine = Machine()
    machine.step(-86_400)
    assert machine.clock(generation=4).generation() == 4


def test_the_machines_own_clocks_are_read() -> None:
    clock: Clock = SystemClock()
    assert clock.now().tzinfo is not None
    assert clock.boottime() <= clock.boottime()
    assert not clock.suspect()


def test_the_fixed_clock_stands_still_until_it_is_moved() -> None:
    clock = FixedClock()
    checked: Clock = clock
    before = checked.now(), checked.boottime()
    clock.advance(5)
    assert (checked.now(), checked.boottime()) == (before[0] + timedelta(seconds=5), before[1] + 5)
    clock.step(-60)
    assert (checked.generation(), checked.boottime()) == (1, before[1] + 5)


class SlowClock:
    """The rules of `SystemClock` as they are said: two moments that run on with the boot clock."""

    def __init__(self, machine: Machine, high_water: datetime | None) -> None:
        self.machine, self.generation, self.suspect = machine, 0, False
        self.high_water = high_water or machine.wall
        self.told = self.believed = (max(machine.wall, self.high_water), machine.boot)
        self.now()

    def _runs_on(self, line: tuple[datetime, float]) -> datetime:
        return line[0] + timedelta(seconds=self.machine.boot - line[1])

    def now(self) -> None:
        here = (self.machine.wall, self.machine.boot)
        if here[0] < self._runs_on(self.told) - BACKWARD:
            self.generation, self.high_water, self.told = self.generation + 1, here[0], here
        elif here[0] > self._runs_on(self.told):
            self.told = here
        self.suspect = here[0] > self._runs_on(self.believed) + FORWARD
        if not self.suspect:
            self.high_water = max(self.high_water, here[0])
            if here[0] > self._runs_on(self.believed):
                self.believed = here


STEPS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 200)),
    st.tuples(st.just("step"), st.sampled_from([-100, -6, -5, -4, -1, 0, 1, 59, 60, 61, 3600])),
    st.just(("confirm", 0)),
)


@pytest.mark.promise("P16")
@given(st.lists(STEPS, max_size=12), st.none() | st.integers(-100, 100))
def test_the_clock_says_what_its_rules_say(steps: list[tuple[str, int]], stored: int | None) -> None:
    machine = Machine()
    high_water = None if stored is None else NOON + timedelta(seconds=stored)
    clock, slow = machine.clock(high_water=high_water), SlowClock(machine, high_water)
    for what, seconds in steps:
        match what:
            case "run":
                machine.run(seconds)
            case "step":
                machine.step(seconds)
            case _:
                clock.confirm_step()
                slow.believed = (machine.wall, machine.boot)
        assert clock.now() == machine.wall
        slow.now()
        assert (clock.generation(), clock.suspect(), clock.high_water()) == (
            slow.generation,
            slow.suspect,
            slow.high_water,
        )
