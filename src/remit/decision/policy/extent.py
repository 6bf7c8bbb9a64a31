"""How far a policy text may reach, judged before Cedar's recursive parser sees it (PD-14, P13).

SAFETY: Cedar's parser, and everything after it, recurses over the text. On a stack of 8 MiB it was seen to
overflow, which ends the process, at about 600 nested brackets and at about 1,400 chained operators. The
limits here stay below half of that.
"""

from typing import Final

from remit.decision.policy.errors import Fault, PolicyRefused
from remit.decision.policy.lexis import words

TEXT_LIMIT: Final = 256 << 10
"""Bytes of a text."""
RULE_LIMIT: Final = 1_000
"""Policies in a text."""
TOKEN_LIMIT: Final = 1_200
"""Words, literals and signs in one policy."""
NESTING_LIMIT: Final = 64
"""Brackets of any kind within each other."""

_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")


def check_extent(text: str) -> None:
    """Refuse a text that is too large in any direction; raises `PolicyRefused`."""
    size = len(text.encode(errors="surrogatepass"))
    if size > TEXT_LIMIT:
        raise _refused("", f"the text has {size} bytes, the limit is {TEXT_LIMIT}")
    place = tokens = depth = 0
    for each in words(text):
        word = each.text
        if word == ";":
            place, tokens, depth = place + 1, 0, 0
            continue
        tokens += 1
        depth += (word in _OPENING) - (word in _CLOSING)
        _check(place, tokens, depth)


def _check(place: int, tokens: int, depth: int) -> None:
    if place >= RULE_LIMIT:
        raise _refused("", f"the text has more than {RULE_LIMIT} policies")
    if tokens > TOKEN_LIMIT:
        raise _refused(f"policy{place}", f"it has more than {TOKEN_LIMIT} words and signs")
    if depth > NESTING_LIMIT:
        raise _refused(f"policy{place}", f"brackets nest deeper than {NESTING_LIMIT}")


def _refused(policy: str, sentence: str) -> PolicyRefused:
    return PolicyRefused((Fault(policy=policy, sentence=sentence),))
