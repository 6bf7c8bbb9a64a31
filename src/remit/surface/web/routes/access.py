"""AuthZEN (Authorization API 1.0): questions of enforcement points, searches, and where both are asked."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remit.app.access import search
from remit.app.access.desk import AccessDesk
from remit.app.access.question import Asked
from remit.authority.oauth.metadata import well_known
from remit.decision.answer.denial import denial_of, instant
from remit.decision.answer.response import Decision, Effect
from remit.kernel.canonical import Json, JsonObject, canonical_json, sha256
from remit.kernel.errors import Invalid
from remit.kernel.ids import PrincipalId
from remit.ledger.words import word_of
from remit.surface.web.caller import Doorkeeper
from remit.surface.web.errors import InvalidBody
from remit.surface.web.routes.access_door import admitted, document, read
from remit.surface.web.routes.access_requests import RequestRoutes
from remit.surface.web.schemas.access import (
    NAMESPACE,
    AccessPage,
    ActionSearch,
    Evaluation,
    ResourceSearch,
    SubjectSearch,
)

BASE: Final = "/access/v1"
BATCH_LIMIT: Final = 50
"""Questions of one batch."""
PAGE_LIMIT: Final = 1000
"""Results of one page."""
_PAGE: Final = 100
_NAME: Final = "authzen-configuration"
_SHARED: Final[tuple[str, ...]] = ("subject", "action", "resource", "context")
_Answer: TypeAlias = Callable[[PrincipalId, JsonObject], Awaitable[JsonObject]]


class Semantic(StrEnum):
    """When a batch stops (Authorization API 1.0 §7.1.2.1)."""

    ALL = "execute_all"
    FIRST_DENY = "deny_on_first_deny"
    FIRST_PERMIT = "permit_on_first_permit"


class PageUnknown(Invalid):
    """The token of a page belongs to another search (§8.2.2)."""

    code = "page_unknown"


class _Search(Protocol):
    async def __call__(
        self, desk: AccessDesk, asked: Asked, *, by: PrincipalId, after: str, limit: int
    ) -> search.Found:
        """One page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRoutes:
    """What AuthZEN needs: who keeps the door, who answers, and our own address."""

    desk: AccessDesk
    door: Doorkeeper
    issuer: str
    asking: RequestRoutes | None = None
    """Where people may be asked; None where that is not spoken."""

    def routes(self) -> list[Route]:
        """What is served, below the issuer's path; the well-known name stands before it (§9.1)."""
        served: dict[str, _Answer] = {
            "/evaluation": self.evaluate,
            "/evaluations": self.evaluate_all,
            "/search/subject": self._subjects,
            "/search/resource": self._resources,
            "/search/action": self._actions,
        }
        return [
            Route(urlsplit(well_known(_NAME, self.issuer)).path, self._metadata, methods=["GET"]),
            *(Route(BASE + path, self._served(answer), methods=["POST"]) for path, answer in served.items()),
            *(self.asking.routes() if self.asking else ()),
        ]

    async def _metadata(self, _: Request) -> Response:
        ends = ("evaluation", "evaluations")
        found: JsonObject = {"policy_decision_point": self.issuer}
        for name in ends:
            found[f"access_{name}_endpoint"] = f"{self.issuer}{BASE}/{name}"
        for name in ("subject", "resource", "action"):
            found[f"search_{name}_endpoint"] = f"{self.issuer}{BASE}/search/{name}"
        return _json({**found, **(self.asking.metadata() if self.asking else {})})

    def _served(self, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            caller = await admitted(request, self.door)
            return _json(await answer(caller.principal, await document(request)))

        return endpoint

    async def evaluate(self, by: PrincipalId, document: JsonObject) -> JsonObject:
        """One question (§6)."""
        asked = read(document, Evaluation).asked()
        return _told(await self.desk.evaluate(asked, by=by), self.asking)

    async def evaluate_all(self, by: PrincipalId, document: JsonObject) -> JsonObject:
        """Several (§7)."""
        items = document.get("evaluations")
        if items is None or items == []:
            return await self.evaluate(by, document)
        if not isinstance(items, list) or len(items) > BATCH_LIMIT:
            raise InvalidBody(f"`evaluations` is no list of at most {BATCH_LIMIT}")
        semantic = _semantic(document.get("options"))
        shared: JsonObject = {name: document[name] for name in _SHARED if name in document}
        items_read = [_item(each, shared) for each in items]
        if semantic is not Semantic.ALL:
            return {"evaluations": await self._stepwise(by, items_read, semantic)}
        asked = [each.asked() for each in items_read if isinstance(each, Evaluation)]
        found = iter(await self.desk.evaluate_all(asked, by=by))
        # One that can't be read is a no of its own, in its place (§7.2.1).
        return {
            "evaluations": [
                _unread(each) if isinstance(each, str) else _told(next(found), self.asking)
                for each in items_read
            ]
        }

    async def _stepwise(
        self, by: PrincipalId, items: Sequence[Evaluation | str], semantic: Semantic
    ) -> list[Json]:
        answers: list[Json] = []
        for each in items:
            told = (
                _unread(each)
                if isinstance(each, str)
                else _told(await self.desk.evaluate(each.asked(), by=by), self.asking)
            )
            answers.append(told)
            if (told["decision"] is True) is (semantic is Semantic.FIRST_PERMIT):
                break
        return answers

    async def _subjects(self, by: PrincipalId, document: JsonObject) -> JsonObject:
        wanted = read(document, SubjectSearch)
        found = await self._found(by, document, wanted.page, wanted.asked(), search.subjects)
        return _page(found, document, lambda name: {"type": wanted.subject.type, "id": name})

    async def _resources(self, by: PrincipalId, document: JsonObject) -> JsonObject:
        wanted = read(document, ResourceSearch)
        found = await self._found(by, document, wanted.page, wanted.asked(), search.resources)
        return _page(found, document, lambda name: {"type": wanted.resource.type, "id": name})

    async def _actions(self, by: PrincipalId, document: JsonObject) -> JsonObject:
        wanted = read(document, ActionSearch)
        found = await self._found(by, document, wanted.page, wanted.asked(), search.actions)
        return _page(found, document, lambda name: {"name": name})

    async def _found(
        self, by: PrincipalId, document: JsonObject, page: AccessPage, asked: Asked, wanted: _Search
    ) -> search.Found:
        limit = min(page.limit or _PAGE, PAGE_LIMIT)
        after = _after(page.token, document)
        return await wanted(self.desk, asked, by=by, after=after, limit=limit)


def _item(item: Json, shared: JsonObject) -> Evaluation | str:
    """One question of a batch, each member of it in place of the whole default (§7.1.1); or what is wrong."""
    if not isinstance(item, dict):
        return "an evaluation is an object"
    try:
        return read({**shared, **item}, Evaluation)
    except InvalidBody as wrong:
        return wrong.hint


def _semantic(options: Json) -> Semantic:
    wanted = options.get("evaluations_semantic", Semantic.ALL) if isinstance(options, dict) else Semantic.ALL
    try:
        return Semantic(str(wanted))
    except ValueError as unknown:
        known = ", ".join(f"`{each}`" for each in Semantic)
        raise InvalidBody(f"`evaluations_semantic` is one of {known}") from unknown


def _told(decision: Decision, asking: RequestRoutes | None) -> JsonObject:
    verdict = decision.verdict
    word = word_of(verdict.effect, obliged=bool(verdict.obligations))
    ours: JsonObject = {
        "verdict": word,
        "revision": verdict.revision,
        "policy_version": verdict.policy_version,
        "consequential": decision.consequential,
    }
    if decision.glasses:
        ours["breakglass"] = list(decision.glasses)
    if verdict.effect is not Effect.PERMIT:
        return denial_of(decision).authzen({NAMESPACE: ours, **(asking.hint(decision) if asking else {})})
    context: JsonObject = {
        "evaluation_id": decision.id,
        "evaluated_at": instant(decision.at),
        NAMESPACE: ours,
    }
    if verdict.obligations:
        context["obligations"] = [
            {"id": f"{decision.id}.{number}", "type": duty.type, "properties": dict(duty.properties)}
            for number, duty in enumerate(verdict.obligations, start=1)
        ]
    return {"decision": True, "context": context}


def _unread(why: str) -> JsonObject:
    return {"decision": False, "context": {"error": {"status": 400, "message": why}}}


def _page(found: search.Found, document: JsonObject, shown: Callable[[str], JsonObject]) -> JsonObject:
    token = f"{_search_digest(document)}.{found.after}" if found.after else ""
    return {
        "results": [shown(name) for name in found.names],
        "page": {"next_token": token},
        "context": {NAMESPACE: {"complete": found.complete and not found.after}},
    }


def _after(token: str, document: JsonObject) -> str:
    """Where the page begins; raises `PageUnknown` for the token of another search."""
    if not token:
        return ""
    digest, _, after = token.partition(".")
    if digest != _search_digest(document):
        raise PageUnknown("the token is of another search", next_step="ask again without `page.token`")
    return after


def _search_digest(document: JsonObject) -> str:
    return sha256(canonical_json({name: value for name, value in document.items() if name != "page"}))[:32]


def _json(answer: Any) -> Response:
    return Response(
        msgspec.json.encode(answer), media_type="application/json", headers={"cache-control": "no-store"}
    )
