"""What a server may ask of the person behind an agent: a plain form, or a page of its own. Never a secret.

MCP 2026-07-28, multi round-trip requests and elicitation. A question is untrusted text on a person's screen:
it says which server asks, keeps only the members that are known here, and a form that could harvest a
secret does not reach anybody (CB-18). Sampling and roots are not offered to servers, so not asked either.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from remit.enforcement.mcp.wire import META_CAPABILITIES
from remit.identity.tools import Server
from remit.kernel.canonical import JsonObject
from remit.kernel.errors import Invalid

MOST: Final = 8
"""Questions of one round."""
FIELDS: Final = 32
LONGEST: Final = 2048
"""Characters of a message or an address; a label has an eighth of it."""

_KEY: Final = re.compile(r"[A-Za-z0-9_.:/\-]{1,128}")
_KINDS: Final = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list}
_FORM: Final = ("type", "enum", "oneOf", "items", "minLength", "maxLength", "minimum", "maximum", "format")
_FORM_MORE: Final = ("minItems", "maxItems", "default", "enumNames")
_SECRET: Final = re.compile(
    r"\b(pass ?(word|phrase|code|wd|key)s?|secrets?|credentials?|(api|access|private|secret|recovery) ?keys?"
    r"|(seed|recovery) ?phrase|one ?time ?(code|password)|otp|totp|mfa|2fa|cvv2?|cvc2?"
    r"|(security|verification|login|sign in|backup) ?codes?|card ?number)\b"
)
_SECRET_ELSEWHERE: Final = re.compile(
    "passw[oö]rt|kennwort|mot de passe|contrase[nñ]a|clave (de acceso|privada)|senha|wachtwoord|l[oö]senord"
    "|has[lł]o|salasana|парол|密码|密碼|口令|パスワード|暗証番号|비밀번호|पासवर्ड|كلمة (ال)?مرور|סיסמ[הא]"
)
_SCRIPTS: Final = ("LATIN ", "CYRILLIC ", "GREEK ", "ARMENIAN ", "CHEROKEE ")
_SECRET_LABEL: Final = re.compile(r"\b(tokens?|pin|pwd|bearer|jwt|cookies?|ssn)\b")


class Mode(StrEnum):
    """How a person is asked."""

    FORM = "form"
    URL = "url"


class QuestionRefused(Invalid):
    """A server asks what it was not offered, or what nobody may be asked."""

    code = "question_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question as its reader gets it; `fields` are the names and JSON types of a form's answers."""

    mode: Mode
    params: JsonObject
    fields: tuple[tuple[str, str], ...] = ()


def offered(meta: JsonObject) -> frozenset[Mode]:
    """Ways of asking that the caller has declared; an empty `elicitation` stands for forms."""
    capabilities = meta.get(META_CAPABILITIES)
    asks = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
    if not isinstance(asks, dict):
        return frozenset()
    named = frozenset(mode for mode in Mode if mode in asks)
    return named or frozenset({Mode.FORM})


def questions_of(result: JsonObject, *, server: Server, modes: frozenset[Mode]) -> dict[str, Question]:
    """Read what a server asks, key by key. Raises `QuestionRefused` if any of it may not be asked."""
    asked = result.get("inputRequests", {})
    if not isinstance(asked, dict) or len(asked) > MOST or (not asked and "requestState" not in result):
        raise QuestionRefused(f"server's questions are no object of at most {MOST}")
    return {key: _question(key, value, server, modes) for key, value in asked.items()}


def answers_of(given: Any, fields: dict[str, dict[str, str]]) -> JsonObject:
    """Keep of a caller's answers what was asked; raises `Invalid` for an answer of another shape.

    `fields` are the names and types of each question's form; answers to other questions are dropped.
    """
    if not isinstance(given, dict):
        raise Invalid("`inputResponses` is not an object")
    return {key: _answer(key, given[key], fields[key]) for key in fields if key in given}


def _question(key: str, value: Any, server: Server, modes: frozenset[Mode]) -> Question:
    if not _KEY.fullmatch(key) or not isinstance(value, dict) or value.get("method") != "elicitation/create":
        raise QuestionRefused("server asks for something that it was not offered")
    params = value.get("params")
    if not isinstance(params, dict) or params.get("mode", Mode.FORM) not in modes:
        raise QuestionRefused("server asks in a way that the caller has not declared")
    if params.get("mode", Mode.FORM) == Mode.URL:
        return _page(params, server)
    return _form(params, server)


def _page(params: JsonObject, server: Server) -> Question:
    """A page of the server's own host; a person can tell who asks there."""
    url = params.get("url")
    if not isinstance(url, str) or len(url) > LONGEST or not url.isprintable() or "\\" in url:
        raise QuestionRefused("server points to no address")
    theirs, ours = urlsplit(url), urlsplit(server.url)
    if theirs.username is not None or not ours.netloc or theirs[:2] != ours[:2]:
        raise QuestionRefused(f"server points to `{_short(theirs.netloc)}`, which is not its own address")
    return Question(mode=Mode.URL, params={"mode": "url", "message": _message(params, server), "url": url})


def _form(params: JsonObject, server: Server) -> Question:
    schema = params.get("requestedSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(properties, dict) or len(properties) > FIELDS:
        raise QuestionRefused(f"server's form has no list of at most {FIELDS} fields")
    fields = {name: _field(name, value) for name, value in properties.items()}
    required = [name for name in _texts(schema.get("required")) if name in fields]
    form: JsonObject = {"type": "object", "properties": {**fields}}
    if required:
        form["required"] = [*required]
    return Question(
        mode=Mode.FORM,
        params={"mode": "form", "message": _message(params, server), "requestedSchema": form},
        fields=tuple((name, str(field["type"])) for name, field in fields.items()),
    )


def _field(name: str, value: Any) -> JsonObject:
    if not isinstance(value, dict) or value.get("type") not in _KINDS or not _KEY.fullmatch(name):
        raise QuestionRefused("server's form has a field of unknown kind")
    labels = {part: _label(value[part]) for part in ("title", "description") if part in value}
    said = " ".join((name, *labels.values()))
    if value.get("format") == "password" or _SECRET_LABEL.search(_words(said)) or _harvests(said):
        raise QuestionRefused(f"server's form asks for a secret in field `{_short(name)}`")
    return {part: value[part] for part in (*_FORM, *_FORM_MORE) if part in value} | labels


def _label(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST // 8:
        raise QuestionRefused("server's form has a label that is too long")
    return _plain(value)


def _message(params: JsonObject, server: Server) -> str:
    """The server's words behind its name, so that none can speak as Remit or as another server."""
    message = params.get("message")
    if not isinstance(message, str) or len(message) > LONGEST:
        raise QuestionRefused(f"server's question is no text of at most {LONGEST} characters")
    if _harvests(message):
        raise QuestionRefused("server asks for a secret")
    return f"{server.name} asks: {_plain(message)}"


def _plain(text: str) -> str:
    """Without what can hide or turn text: controls, overrides of direction, invisible characters."""
    return "".join(
        each for each in text if each == "\n" or unicodedata.category(each)[0] not in "CZ" or each == " "
    )


def _words(text: str) -> str:
    """Lower case, one space between words, whatever the style of the name, the width or the accent."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", unicodedata.normalize("NFKD", _plain(text)))
    kept = "".join(each for each in split if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9]+", " ", kept.casefold())


def _harvests(text: str) -> bool:
    """Whether words ask for a secret, or are written so that nobody can tell."""
    plain = unicodedata.normalize("NFKC", _plain(text)).casefold()
    disguised = any(_mixes(word) for word in re.findall(r"[^\W\d_]+", plain))
    return disguised or bool(_SECRET.search(_words(text)) or _SECRET_ELSEWHERE.search(plain))


def _mixes(word: str) -> bool:
    """Letters of alphabets that look alike stand in one word."""
    names = [unicodedata.name(each, "") for each in word]
    return sum(any(name.startswith(script) for name in names) for script in _SCRIPTS) > 1


def _answer(key: str, given: Any, fields: dict[str, str]) -> JsonObject:
    action = given.get("action") if isinstance(given, dict) else None
    if action not in {"accept", "decline", "cancel"}:
        raise Invalid(f"answer to `{key}` is none of accept, decline, cancel")
    content = given.get("content")
    if content is None or action != "accept":
        return {"action": action}
    if not isinstance(content, dict) or not content.keys() <= fields.keys():
        raise Invalid(f"answer to `{key}` has fields that were not asked for")
    for name, value in content.items():
        if not _fits(value, fields[name]):
            raise Invalid(f"answer to `{key}` is no {fields[name]} in `{name}`")
    return {"action": action, "content": content}


def _fits(value: Any, kind: str) -> bool:
    if value is None or isinstance(value, bool):
        return value is None or kind == "boolean"
    if kind == "array":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, (int, float) if kind == "number" else _KINDS[kind])


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _short(text: str) -> str:
    return _plain(text)[:64]
