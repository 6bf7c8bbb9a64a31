"""How a decision is told on a terminal: effect and sentence, stages, nearest miss, what became of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from remit.surface.cli.exits import Exit
from remit.surface.cli.render import coloured, visible

_WORDS: Final = {"permit": "ok", "ask": "ask", "step_up": "step up", "deny": "deny"}
_EXITS: Final = {"permit": Exit.DONE, "ask": Exit.WAITING, "step_up": Exit.WAITING, "deny": Exit.DENIED}
_LABEL: Final = 14
_PATH: Final = 25
"""Where what a stage says begins."""


def explained(found: Mapping[str, Any]) -> list[str]:
    """The whole answer, in the form of users.md: what is not known is left out, never invented."""
    effect = str(found["effect"])
    people = [found["user_name"] or found["user"], *found.get("with", ())] if found.get("user") else []
    whom = f", for {' and '.join(people)}" if people else ""
    moment = str(found["at"])[:19].replace("T", " ")
    wanted = f"{_shown(found, 'agent_name')} wanted `{_shown(found, 'action')}`"
    done = [visible(str(found["told"]))] if found.get("told") else []
    return [
        *done,
        f"{coloured(effect)}   {wanted} on {_shown(found, 'resource')}{visible(whom)}, {moment} UTC",
        *(
            line
            for number, stage in enumerate(found.get("stages", []), start=1)
            for line in (_stage(number, stage), *_paths(stage))
        ),
        *([_labelled("context", ", ".join(found["labels"]))] if found.get("labels") else []),
        *_observed(found.get("observed", [])),
        *([_labelled("otherwise", str(found["otherwise"]))] if found.get("otherwise") else []),
        *_misses(found.get("nearest_miss", [])),
        *_became(found),
    ]


def exit_of_effect(effect: str) -> Exit:
    """The exit code that a script reads: 0 permit, 3 deny, 4 a person must say something first."""
    return _EXITS.get(effect, Exit.FAILED)


def _stage(number: int, stage: Mapping[str, Any]) -> str:
    word = _WORDS[str(stage["effect"])]
    said = "; ".join(_reason(reason) for reason in stage.get("reasons", []))
    told = said or _found(str(stage["stage"]), [str(each) for each in stage.get("detail", [])])
    return (
        visible(f"  {number} {stage['stage']:<12} ") + coloured(word) + " " * (8 - len(word)) + visible(told)
    )


def _paths(stage: Mapping[str, Any]) -> list[str]:
    """How relations came about, below their stage."""
    hidden = ["by tuples that administrators and readers see"] if stage.get("paths_hidden") else []
    return [f"{'':{_PATH}}{visible(path)}" for path in (*stage.get("paths", []), *hidden)]


def _found(stage: str, detail: Sequence[str]) -> str:
    """What a stage that agreed has looked at, in its own terms."""
    match stage:
        case "alive":
            return _counted(detail, "identity", "identities") + " looked at, none of them stopped"
        case "authority" | "relations" | "history":
            some, none = _LISTED[stage]
            return f"{some}: {', '.join(detail)}" if detail else none
        case "budget":
            if any(": " in each for each in detail):
                return "; ".join(detail)
            return f"{_counted(detail, 'limit', 'limits')}, none used up" if detail else "no limit applies"
        case "oversight":
            return ", ".join(detail) or "nobody had to be asked"
        case _:
            return ", ".join(detail)


_LISTED = {
    "authority": ("allowed by each of", ""),
    "relations": ("related", ""),
    "history": ("nothing against it in", "no rule looks back at this"),
}


def _counted(found: Sequence[str], one: str, several: str) -> str:
    return f"{len(found)} {one if len(found) == 1 else several}"


def _reason(reason: Mapping[str, Any]) -> str:
    rule = f"rule {reason['rule']}: " if reason.get("rule") else ""
    source = f"; from {reason['source']}" if reason.get("source") else ""
    controls = f"; control {', '.join(reason['controls'])}" if reason.get("controls") else ""
    return f"{rule}{reason['sentence']} ({reason['code']}){source}{controls}"


def _observed(lines: Sequence[str]) -> list[str]:
    return [_labelled("observed", line) for line in lines]


def _misses(misses: Sequence[Mapping[str, Any]]) -> list[str]:
    told = [_miss(miss) for miss in misses]
    return [_labelled("nearest miss" if at == 0 else "", line) for at, line in enumerate(told)]


def _miss(miss: Mapping[str, Any]) -> str:
    if miss.get("never"):
        return "never: no change of this call would pass"
    if miss.get("approval_from"):
        others = f" except {', '.join(miss['excluding'])}" if miss.get("excluding") else ""
        return f"a yes from {miss['approval_from']}{others}"
    if miss.get("relation"):
        return f"the relation {miss['relation']}"
    if miss.get("at"):
        return f"at {miss['at']}"
    bounds = [
        f"{sign} {miss[name]}" for name, sign in (("at_least", "≥"), ("at_most", "≤")) if miss.get(name)
    ]
    if miss.get("one_of"):
        bounds.append(f"one of {', '.join(miss['one_of'])}")
    if miss.get("absent"):
        bounds.append("left out")
    return f"{miss.get('argument', '')} {' and '.join(bounds)}".strip()


def _became(found: Mapping[str, Any]) -> list[str]:
    told = []
    remedy = found.get("remedy")
    if remedy:
        text = f"{remedy['action']}  {remedy.get('tell_user', '')}".strip()
        told.append(_labelled("remedy", text))
    if found.get("approval"):
        told.append(_labelled("approval", found["approval"]))
    told += [_labelled("break glass", each) for each in found.get("breakglass", [])]
    if found.get("capability"):
        told.append(_labelled("capability", f"{found['capability']} {found.get('outcome', '')}".strip()))
    return told


def _labelled(label: str, text: str) -> str:
    return f"{label:<{_LABEL}} {visible(text)}"


def _shown(found: Mapping[str, Any], name: str) -> str:
    return visible(str(found.get(name, "")))
