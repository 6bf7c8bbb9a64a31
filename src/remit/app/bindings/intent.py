"""The model by which goals and actions are compared: loaded once for every tenant, where one is set."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import structlog

from remit.decision.risk.intent import Encoder as Comparing
from remit.decision.risk.intent import IntentDesk
from remit.platform.intent.faults import Broken, ModelInvalid
from remit.platform.settings.risk import RiskChoices, RiskMode

_log = structlog.stdlib.get_logger("remit.intent")


def intent_desk_of(chosen: RiskChoices) -> IntentDesk | None:
    """Who compares goals and actions; None where no model is set, or risk is off."""
    if not chosen.intent_model or chosen.mode is RiskMode.OFF:
        return None
    return IntentDesk(encoder=comparing(chosen.intent_model))


@lru_cache(maxsize=1)
def comparing(directory: str) -> Comparing:
    """The model of a directory; one that can't be used is said once, and makes every call look far off."""
    fault = fault_of(directory)
    if fault:
        _log.error("intent.refused", directory=directory, why=fault)
        return Broken(fault)
    return loaded(directory)


def fault_of(directory: str) -> str:
    """What is wrong with a model; empty for one that can be used."""
    if find_spec("numpy") is None:
        return "numpy is not installed; install `remit[intent]`"
    try:
        loaded(directory)
    except ModelInvalid as wrong:
        return str(wrong)
    return ""


@lru_cache(maxsize=1)
def loaded(directory: str) -> Comparing:
    """Load and try it; raises `ModelInvalid`."""
    from remit.platform.intent.encoder import Encoder  # noqa: PLC0415 — needs the extra
    from remit.platform.intent.reader import Reader  # noqa: PLC0415 — needs the extra

    return Reader(Encoder.of_directory(Path(directory)))
