"""OpenFGA's HTTP API below `/fga`: its own client SDK works with `api_url=<issuer>/fga`."""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from remit.authority.oauth.wire.errors import InsufficientScope, OAuthError
from remit.authority.oauth.wire.scopes import Scope
from remit.decision.relation_repository import Key, TupleFilter
from remit.decision.relation_service import RelationService, TupleWrite
from remit.decision.relations.errors import (
    ContinuationInvalid,
    FgaCode,
    RelationError,
    RequestInvalid,
)
from remit.decision.relations.expand import expand
from remit.decision.relations.graph import Graph
from remit.decision.relations.listing import Lists
from remit.decision.relations.model_json import read_model
from remit.decision.relations.query import (
    BATCH,
    LIST_BOUNDS,
    Answer,
    Bounds,
    ExpandRequest,
    Listing,
    ListObjectsRequest,
    ListUsersRequest,
)
from remit.decision.relations.tuples import is_object, is_user
from remit.kernel.canonical import JsonObject, parse_object
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.surface.web import fga_answers as answers
from remit.surface.web.caller import Caller, Doorkeeper
from remit.surface.web.challenge import challenge_of
from remit.surface.web.errors import InvalidBody
from remit.surface.web.inbound import refuse_nul, sentence
from remit.surface.web.schemas import fga

BASE: Final = "/fga/stores"
PAGE_LIMIT: Final = 100
_PAGE: Final = 50
_FRESH: Final = "HIGHER_CONSISTENCY"
_CONSISTENCY: Final = frozenset({"", "UNSPECIFIED", "MINIMIZE_LATENCY", _FRESH})
_CORRELATION: Final = re.compile(r"[\w\d-]{1,36}")
_LENIENCE: Final = {"": False, "error": False, "ignore": True}
T = TypeVar("T")
_Handler: TypeAlias = Callable[["Asked"], Awaitable[Response]]


class TokenOfOtherType(RequestInvalid):
    """A continuation token of changes of another type."""

    code = "relation_continuation_mismatch"
    fga = FgaCode.TOKEN_TYPE_MISMATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that passed the door."""

    caller: Caller
    document: JsonObject
    query: Mapping[str, str]
    path: Mapping[str, str]
    at: datetime

    @property
    def store(self) -> str:
        """The store that the address names."""
        return self.path["store"]

    def read(self, kind: type[T]) -> T:
        """The body as a type; raises `RequestInvalid`."""
        try:
            return msgspec.convert(self.document, kind)
        except msgspec.ValidationError as wrong:
            raise RequestInvalid(sentence(wrong)) from wrong

    def limit(self, stated: object = None) -> int:
        """The page size that was asked for; raises `RequestInvalid`."""
        asked = stated if stated is not None else self.query.get("page_size")
        if asked is None:
            return _PAGE
        if not str(asked).isdecimal() or not 1 <= int(str(asked)[:9]) <= PAGE_LIMIT:
            raise RequestInvalid(f"page_size `{str(asked)[:20]}` is not between 1 and {PAGE_LIMIT}")
        return int(str(asked))


@dataclass(frozen=True, slots=True, kw_only=True)
class FgaRoutes:
    """What is needed: the relations, who keeps the door, and the time."""

    relations: RelationService
    door: Doorkeeper
    clock: Clock
    issuer: str

    def routes(self) -> list[Route]:
        """Everything that is served."""
        one, models = BASE + "/{store}", BASE + "/{store}/authorization-models"
        read, write = Scope.RELATIONS, Scope.RELATIONS_WRITE
        served: list[tuple[str, str, Scope, _Handler]] = [
            ("POST", BASE, write, self._create_store),
            ("GET", BASE, read, self._stores),
            ("GET", one, read, self._store),
            ("DELETE", one, write, self._remove_store),
            ("POST", models, write, self._write_model),
            ("GET", models, read, self._models),
            ("GET", models + "/{model}", read, self._model),
            ("POST", one + "/write", write, self._write),
            ("POST", one + "/read", read, self._read),
            ("GET", one + "/changes", read, self._changes),
            ("POST", one + "/check", read, self._check),
            ("POST", one + "/batch-check", read, self._batch),
            ("POST", one + "/expand", read, self._expand),
            ("POST", one + "/list-objects", read, self._list_objects),
            ("POST", one + "/streamed-list-objects", read, self._stream_objects),
            ("POST", one + "/list-users", read, self._list_users),
        ]
        return [
            Route(path, self._guarded(handler, scope), methods=[method])
            for method, path, scope, handler in served
        ]

    def _guarded(self, handler: _Handler, scope: Scope) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                caller = await self.door.admit(request)
                if scope not in caller.scopes:
                    raise InsufficientScope(f"this needs the scope `{scope}`", scopes=frozenset({scope}))
                return await handler(await self._asked(request, caller))
            except RemitError as refused:
                return self._refused(refused)

        return endpoint

    async def _asked(self, request: Request, caller: Caller) -> Asked:
        raw = await request.body()
        document: JsonObject = {}
        if raw and request.method == "POST":
            document = parse_object(raw)
            refuse_nul(document)
        refuse_nul(dict(request.query_params))
        return Asked(
            caller=caller,
            document=document,
            query=dict(request.query_params),
            path={name: str(value) for name, value in request.path_params.items()},
            at=self.clock.now(),
        )

    def _refused(self, refused: RemitError) -> Response:
        status, body = answers.refusal(refused)
        headers = {}
        if isinstance(refused, OAuthError) and status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            resource = f"{self.issuer}/api"
            headers["www-authenticate"] = challenge_of(
                refused, resource=resource, scopes=frozenset(), bearer=True
            )
        return _json(body, status=status, headers=headers)

    async def _create_store(self, asked: Asked) -> Response:
        name = asked.read(fga.FgaStoreName).name
        made = await self.relations.create_store(name, by=asked.caller.principal, at=asked.at)
        return _json(answers.store(made), status=HTTPStatus.CREATED)

    async def _stores(self, asked: Asked) -> Response:
        limit, after = asked.limit(), _text(asked.query.get("continuation_token", ""))
        found = await self.relations.stores(after=after, limit=limit + 1, name=asked.query.get("name", ""))
        token = _token(found[limit - 1].id) if len(found) > limit else ""
        return _json({"stores": [answers.store(each) for each in found[:limit]], "continuation_token": token})

    async def _store(self, asked: Asked) -> Response:
        return _json(answers.store(await self.relations.store(asked.store)))

    async def _remove_store(self, asked: Asked) -> Response:
        await self.relations.remove_store(asked.store, by=asked.caller.principal, at=asked.at)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _write_model(self, asked: Asked) -> Response:
        model = read_model(asked.document)
        ident = await self.relations.write_model(asked.store, model, by=asked.caller.principal, at=asked.at)
        return _json({"authorization_model_id": ident}, status=HTTPStatus.CREATED)

    async def _models(self, asked: Asked) -> Response:
        limit, before = asked.limit(), _text(asked.query.get("continuation_token", ""))
        last = _number(before) if before else 1 << 62
        found = await self.relations.models(asked.store, before=last, limit=limit + 1)
        token = _token(str(found[limit - 1].number)) if len(found) > limit else ""
        shown = [answers.model(each) for each in found[:limit]]
        return _json({"authorization_models": shown, "continuation_token": token})

    async def _model(self, asked: Asked) -> Response:
        found = await self.relations.model(asked.store, asked.path["model"])
        return _json({"authorization_model": answers.model(found)})

    async def _write(self, asked: Asked) -> Response:
        body = asked.read(fga.FgaWrite)
        come, gone = body.writes, body.deletes
        wanted = TupleWrite(
            writes=tuple(each.tuple() for each in come.tuple_keys) if come else (),
            deletes=tuple(each.tuple() for each in gone.tuple_keys) if gone else (),
            model=body.authorization_model_id or "",
            lenient_writes=_lenient("on_duplicate", come.on_duplicate) if come else False,
            lenient_deletes=_lenient("on_missing", gone.on_missing) if gone else False,
        )
        await self.relations.write(asked.store, wanted, by=asked.caller.principal, at=asked.at)
        return _json({})

    async def _read(self, asked: Asked) -> Response:
        body = asked.read(fga.FgaRead)
        limit, wanted = asked.limit(body.page_size), _filter(body.tuple_key)
        after = _key(_text(body.continuation_token or ""))
        found = await self.relations.read(asked.store, wanted, after=after, limit=limit + 1)
        token = _token("\n".join(found[limit - 1].tuple.key)) if len(found) > limit else ""
        return _json(
            {"tuples": [answers.stored(each) for each in found[:limit]], "continuation_token": token}
        )

    async def _changes(self, asked: Asked) -> Response:
        limit, kind = asked.limit(), asked.query.get("type", "")
        token = asked.query.get("continuation_token", "")
        since = _instant(asked.query.get("start_time", ""))
        number, _, of = _text(token).partition(" ")
        if token and of != kind:
            raise TokenOfOtherType(f"the continuation token is of type `{of[:64]}`, not `{kind[:64]}`")
        after = _number(number) if token else 0
        # Read before the changes: nothing of the type up to here can be missed.
        position = (await self.relations.store(asked.store)).position
        found = await self.relations.changes(asked.store, after=after, limit=limit, type_=kind, since=since)
        if found:
            token = _token(f"{found[-1].change.number} {kind}")
        elif token and kind:
            # A type without news goes along with the store, so that its token is not forgotten.
            token = _token(f"{max(position, after)} {kind}")
        # Else, without news, the token stays: a client asks again with it, later.
        return _json({"changes": [answers.change(each) for each in found], "continuation_token": token})

    async def _check(self, asked: Asked) -> Response:
        body = asked.read(fga.FgaCheck)
        graph = await self._graph(asked, body.authorization_model_id, body.consistency)
        answer = _complete(graph.check(body.question(), Bounds()))
        return _json({"allowed": answer.allowed, "resolution": ""})

    async def _batch(self, asked: Asked) -> Response:
        body = asked.read(fga.FgaBatch)
        names = [each.correlation_id for each in body.checks]
        if not 1 <= len(names) <= BATCH:
            raise RequestInvalid(f"{len(names)} checks in one request, of at least 1 and at most {BATCH}")
        if len(set(names)) != len(names) or not all(map(_CORRELATION.fullmatch, names)):
            raise RequestInvalid("each check has a correlation_id of its own, 1 to 36 letters, digits, `-`")
        graph = await self._graph(asked, body.authorization_model_id, body.consistency)
        questions = [
            fga.question_of(each.tuple_key, each.contextual_tuples, each.context) for each in body.checks
        ]
        found = await asyncio.to_thread(graph.batch, questions, Bounds())
        return _json({"result": {name: _item(each) for name, each in zip(names, found, strict=True)}})

    async def _expand(self, asked: Asked) -> Response:
        body = asked.read(fga.FgaExpand)
        brought = body.contextual_tuples.tuple_keys if body.contextual_tuples else None
        graph = await self._graph(asked, body.authorization_model_id, body.consistency)
        request = ExpandRequest(
            relation=body.tuple_key.relation,
            object=body.tuple_key.object,
            given=fga.given_of(brought, body.context),
        )
        return _json({"tree": {"root": answers.tree(expand(graph, request))}})

    async def _list_objects(self, asked: Asked) -> Response:
        return _json(answers.objects(await self._objects(asked)))

    async def _stream_objects(self, asked: Asked) -> Response:
        found = await self._objects(asked)

        async def lines() -> AsyncIterator[bytes]:
            for each in found.items:
                yield msgspec.json.encode({"result": {"object": each}}) + b"\n"

        return StreamingResponse(lines(), media_type="application/json")

    async def _objects(self, asked: Asked) -> Listing:
        body = asked.read(fga.FgaListObjects)
        brought = body.contextual_tuples.tuple_keys if body.contextual_tuples else None
        graph = await self._graph(asked, body.authorization_model_id, body.consistency)
        request = ListObjectsRequest(
            user=body.user,
            relation=body.relation,
            type=body.type,
            given=fga.given_of(brought, body.context),
        )
        return _whole(await asyncio.to_thread(Lists(graph).objects, request, LIST_BOUNDS))

    async def _list_users(self, asked: Asked) -> Response:
        body = asked.read(fga.FgaListUsers)
        if len(body.user_filters) != 1:
            raise RequestInvalid(f"{len(body.user_filters)} user_filters, of exactly 1")
        (wanted,) = body.user_filters
        graph = await self._graph(asked, body.authorization_model_id, body.consistency)
        request = ListUsersRequest(
            object=f"{body.object.type}:{body.object.id}",
            relation=body.relation,
            user_type=wanted.type,
            user_relation=wanted.relation or "",
            given=fga.given_of(body.contextual_tuples, body.context),
        )
        found = _whole(await asyncio.to_thread(Lists(graph).users, request, LIST_BOUNDS))
        return _json(answers.users(found))

    async def _graph(self, asked: Asked, model: str | None, consistency: str | None) -> Graph:
        if (consistency or "") not in _CONSISTENCY:
            raise RequestInvalid(f"consistency `{str(consistency)[:40]}` is unknown")
        return await self.relations.graph(asked.store, model=model or "", fresh=consistency == _FRESH)


def _complete(answer: Answer) -> Answer:
    """The answer; raises why there is none."""
    if answer.failure is not None:
        raise answer.failure
    return answer


def _whole(found: Listing) -> Listing:
    """The list, as far as it came; raises where an item could not be judged."""
    if found.failure is not None:
        raise found.failure
    return found


def _item(answer: Answer | RelationError) -> JsonObject:
    failure = answer if isinstance(answer, RelationError) else answer.failure
    if failure is not None:
        return {"allowed": False, "error": {"input_error": failure.fga.value, "message": failure.hint}}
    return {"allowed": isinstance(answer, Answer) and answer.allowed}


def _lenient(name: str, word: str) -> bool:
    if word not in _LENIENCE:
        raise RequestInvalid(f"{name} `{word[:40]}` is neither `error` nor `ignore`")
    return _LENIENCE[word]


def _filter(key: fga.FgaReadKey | None) -> TupleFilter:
    if key is None or not (key.user or key.relation or key.object):
        return TupleFilter()
    thing, user, relation = key.object or "", key.user or "", key.relation or ""
    if not (is_object(thing) or (thing.endswith(":") and thing.count(":") == 1 and len(thing) > 1)):
        raise RequestInvalid(f"object `{thing[:80]}` is neither `type:id` nor `type:`")
    if user and not is_user(user):
        raise RequestInvalid(f"user `{user[:80]}` is no object, userset or typed wildcard")
    if thing.endswith(":") and not user:
        raise RequestInvalid("with an object type alone, `user` must be there")
    return TupleFilter(object=thing, relation=relation, user=user)


def _token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _text(token: str) -> str:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        refuse_nul(text)
    except (binascii.Error, ValueError, InvalidBody) as wrong:
        raise ContinuationInvalid("the continuation token is not of this list") from wrong
    return text


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 — what fits 64 bits
        raise ContinuationInvalid("the continuation token is not of this list")
    return int(text)


def _key(text: str) -> Key | None:
    if not text:
        return None
    thing, _, rest = text.partition("\n")
    relation, newline, user = rest.partition("\n")
    if not newline:
        raise ContinuationInvalid("the continuation token is not of this list")
    return thing, relation, user


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise InvalidBody(f"start_time `{text[:40]}` is no RFC 3339 time") from wrong
    if at.tzinfo is None:
        raise InvalidBody(f"start_time `{text[:40]}` has no offset")
    return at


def _json(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store", **(headers or {})},
    )
