"""General words for effects and for what they touch: the same list reads tool names and people's requests.

Written from what tools of common kinds call themselves (mail, calendar, files, payments, accounts,
messengers, travel, code, tickets). A word that is missing costs a question, never a silent yes.
"""

from enum import StrEnum
from typing import Final

from remit.decision.provenance import languages


def vocabulary(text: str) -> frozenset[str]:
    """The words of a list that is written as a text."""
    return frozenset(text.split())


class Doing(StrEnum):
    """What a tool does to the world."""

    READ = "read"
    SEND = "send"
    PAY = "pay"
    SHARE = "share"
    DELETE = "delete"
    UPDATE = "update"
    CREATE = "create"
    RESERVE = "reserve"
    EXECUTE = "execute"
    OTHER = "other"


class Thing(StrEnum):
    """What is touched."""

    MESSAGE = "message"
    EVENT = "event"
    FILE = "file"
    MONEY = "money"
    SECRET = "secret"  # noqa: S105 — a kind of thing
    PROFILE = "profile"
    PEOPLE = "people"
    CHANNEL = "channel"
    BOOKING = "booking"
    CODE = "code"
    PAGE = "page"
    TICKET = "ticket"
    RECORD = "record"


VERBS: Final[dict[Doing, str]] = {
    Doing.READ: """
        get list search read find show fetch look lookup view describe count query check see
        tell summarize summarise download retrieve browse inspect compare calculate compute
        verify explain translate watch open visit is has can exists validate preview resolve
        identify analyze analyse review recommend suggest""",
    Doing.SEND: """
        send email mail message text dm post publish reply respond answer forward notify tweet
        write contact submit announce broadcast comment remind inform ping""",
    Doing.PAY: """
        pay transfer refund reimburse wire remit settle repay donate buy purchase charge tip
        deposit withdraw""",
    Doing.SHARE: """
        share grant invite permit allow authorize assign give expose add""",
    Doing.DELETE: """
        delete remove cancel erase clear drop purge revoke trash discard uninstall kick ban
        unsubscribe terminate destroy wipe archive""",
    Doing.UPDATE: """
        update change modify adjust edit add reschedule move rename set correct replace reset
        append mark extend fix patch increase decrease raise lower swap postpone merge close
        reopen label tag attach put enable disable""",
    Doing.CREATE: """
        create make add schedule plan organize organise arrange set save generate draft prepare
        upload open register write insert append new build start compose copy put book""",
    Doing.RESERVE: """
        reserve book rent order""",
    Doing.EXECUTE: """
        run execute deploy install invoke launch eval call trigger restart apply compile""",
}

THINGS: Final[dict[Thing, str]] = {
    Thing.MESSAGE: """
        email mail message letter dm chat inbox reply newsletter sms notification tweet comment
        memo""",
    Thing.EVENT: """
        event calendar meeting appointment lunch dinner breakfast schedule agenda reunion trip
        call class session party checkup reminder""",
    Thing.FILE: """
        file document doc folder drive spreadsheet attachment list directory path pdf docx txt
        csv xlsx note presentation slide""",
    Thing.MONEY: """
        money payment bill invoice rent amount fee price transaction transfer refund balance
        cost difference subscription account iban order standing salary fund purchase charge
        deposit loan tax vat debt""",
    Thing.SECRET: """
        password passcode pin passphrase credential secret token key otp 2fa mfa""",
    Thing.PROFILE: """
        profile information info address detail settings preference account name phone user""",
    Thing.PEOPLE: """
        user member participant contact guest attendee team person people friend colleague
        collaborator""",
    Thing.CHANNEL: """
        channel group room thread slack workspace team""",
    Thing.BOOKING: """
        reservation hotel restaurant flight car table ticket room booking rental seat taxi train
        stay""",
    Thing.CODE: """
        script command code shell query program function job pipeline workflow sql""",
    Thing.PAGE: """
        page website site url link webpage article blog web""",
    Thing.TICKET: """
        ticket issue task bug story todo case request pull""",
    Thing.RECORD: """
        record row entry database table item customer product""",
}

INHERENT: Final[dict[str, Thing]] = {
    "email": Thing.MESSAGE,
    "mail": Thing.MESSAGE,
    "message": Thing.MESSAGE,
    "text": Thing.MESSAGE,
    "dm": Thing.MESSAGE,
    "reply": Thing.MESSAGE,
    "respond": Thing.MESSAGE,
    "forward": Thing.MESSAGE,
    "notify": Thing.MESSAGE,
    "remind": Thing.MESSAGE,
    "inform": Thing.MESSAGE,
    "pay": Thing.MONEY,
    "refund": Thing.MONEY,
    "reimburse": Thing.MONEY,
    "wire": Thing.MONEY,
    "transfer": Thing.MONEY,
    "repay": Thing.MONEY,
    "reschedule": Thing.EVENT,
    "invite": Thing.PEOPLE,
    "post": Thing.CHANNEL,
    "reserve": Thing.BOOKING,
}
"""What a verb touches even where no noun says so."""

ANSWERS: Final = vocabulary(
    f"reply respond answer refund reimburse repay return back thank {languages.ANSWERING}"
)
"""Words by which a request makes the originator of a record its recipient."""

OPEN: Final = vocabulary(
    f"""instructions instruction actions steps todos todo accordingly tasks says asks
    {languages.OPENING}"""
)
"""Words by which a request hands what is to be done over to something else."""

SENDING: Final = vocabulary(
    "send sende senden schicke schicken envoie envoyez envoyer envía enviar invia inviare"
)

STOP: Final = vocabulary(
    f"""a an and are as at be been but by can could do does did for from had has have her his how i
    if in into is it its me my no not of on or our out please she he so than that the their them
    then there these they this those to up us was we were what when where which who will with
    would you your all any each every also just about re fwd new am pm yes one two get got make
    sure need want let follow {languages.STOPS}"""
)
"""Words that name nothing."""


def stem(word: str) -> str:
    """A word without its commonest endings: good enough to hold singular and plural together."""
    for ending, least in (("ies", 5), ("ses", 5), ("es", 6), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            return word[: -len(ending)] + {"ies": "y", "ses": "se"}.get(ending, "e" if _keeps_e(word) else "")
    return word


def _keeps_e(word: str) -> bool:
    return word.endswith("es") and word[-3:] not in {"xes", "hes", "oes"}


def _doings() -> dict[str, frozenset[Doing]]:
    found: dict[str, set[Doing]] = {}
    for doing, words in VERBS.items():
        for word in words.split():
            found.setdefault(word, set()).add(doing)
    for asked, words in languages.ASKED.items():
        for word in words.split():
            found.setdefault(word, set()).add(Doing(asked))
    return {word: frozenset(doings) for word, doings in found.items()}


def _things() -> dict[str, frozenset[Thing]]:
    found: dict[str, set[Thing]] = {}
    for thing, words in THINGS.items():
        for word in (*words.split(), *languages.NAMED.get(thing, "").split()):
            found.setdefault(stem(word), set()).add(thing)
    return {word: frozenset(things) for word, things in found.items()}


DOINGS: Final = _doings()
ELSEWHERE: Final = frozenset(DOINGS) - vocabulary(" ".join(VERBS.values()))
"""Words that ask in other languages than English alone."""
TOUCHED: Final = _things()


def things_in(words: tuple[str, ...]) -> frozenset[Thing]:
    """Every kind of thing that some words name."""
    return frozenset(thing for word in words for thing in TOUCHED.get(stem(word), frozenset()))


def participle_of(word: str) -> str:
    """The verb of which a word is the regular past participle; empty for none."""
    if not word.endswith("ed"):
        return _IRREGULAR.get(word, "")
    candidates = (word[:-1], word[:-2], word[:-3], f"{word[:-3]}y")
    return next((verb for verb in candidates if verb in DOINGS), "")


_IRREGULAR: Final = {
    "sent": "send",
    "paid": "pay",
    "given": "give",
    "written": "write",
    "made": "make",
    "bought": "buy",
    "put": "put",
    "set": "set",
    "rent": "rent",
}
