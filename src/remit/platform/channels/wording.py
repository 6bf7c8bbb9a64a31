"""A letter in the shapes that transports share; all text is ours or quoted, and a link answers nothing."""

from datetime import datetime

from remit.oversight.notices.delivery import Parcel

SMS_LIMIT = 320
"""Characters: two segments at most, with the link whole."""


def text_of(parcel: Parcel) -> str:
    """As plain text."""
    ends = parcel.letter.ends_at
    until = [f"Until {stamp(ends)}."] if ends is not None else []
    return "\n\n".join([parcel.letter.title, parcel.letter.sentence, *until, parcel.link])


def short_of(parcel: Parcel) -> str:
    """As one short line; the link stays whole whatever has to go."""
    room = SMS_LIMIT - len(parcel.link) - 1
    told = f"{parcel.letter.title}. {parcel.letter.sentence}"
    return f"{told if len(told) <= room else told[: room - 1] + '…'} {parcel.link}"


def stamp(at: datetime) -> str:
    """A moment, for people."""
    return at.strftime("%Y-%m-%d %H:%M UTC")
