"""Documents, conditions and sources as the API shows them."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from remit.app.access.question import Entity
from remit.app.retrieval.desk import Search
from remit.decision.answer.condition import to_json
from remit.decision.documents.prefilter import Prefilter
from remit.decision.sources.source import Origin, Source
from remit.enforcement.retrieval.lists import LIMIT, LONGEST, TAGS
from remit.enforcement.retrieval.metadata import metadata
from remit.enforcement.retrieval.shelf import Offered
from remit.enforcement.retrieval.sql import where
from remit.surface.web.schemas.words import Line, Name

_Id = Annotated[str, msgspec.Meta(max_length=128)]
TagName = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST, pattern=r"^[^=\x00-\x1f]+$")]
TagValue = Annotated[str, msgspec.Meta(max_length=LONGEST)]
Hex = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")]


class Searcher(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who searches: an agent's instance, a workload or a person, by id."""

    type: Line
    id: Line


class DocumentBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One candidate; `tags` are all that it has, `digest` the SHA-256 of its words."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]
    tags: Annotated[dict[TagName, TagValue], msgspec.Meta(max_length=TAGS)]
    digest: Hex = ""

    def offered(self) -> Offered:
        """As it is decided about."""
        return Offered(id=self.id, tags=tuple(sorted(self.tags.items())), digest=self.digest)


class SearchBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who searches, on which registered server, in which run and chain."""

    subject: Searcher
    server: Name
    task: _Id = ""
    envelope: _Id = ""
    revision: Annotated[int, msgspec.Meta(ge=0)] | None = None

    def search(self) -> Search:
        """As the domain says it."""
        return Search(
            subject=Entity(type=self.subject.type, id=self.subject.id),
            server=self.server,
            task=self.task,
            envelope=self.envelope,
            at_least=self.revision,
        )


class FilterBody(SearchBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a search has found, before anybody sees it."""

    documents: Annotated[list[DocumentBody], msgspec.Meta(max_length=LIMIT)]


class GivenDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document that the searcher may read; `duties` go with it: `no_export`, `summarize_only`, `label`."""

    id: str
    duties: list[str] = []


class FilteredView(msgspec.Struct, frozen=True, kw_only=True):
    """The documents that are given, in the order in which they were asked about; of others, nothing."""

    documents: list[GivenDocument]


class SqlView(msgspec.Struct, frozen=True, kw_only=True):
    """The condition as SQL: for tables `document(id)` and `document_tag(document, name, value)`."""

    where: str
    parameters: dict[str, str]
    exact: bool


class MetadataView(msgspec.Struct, frozen=True, kw_only=True):
    """The condition as a filter on metadata; `null` where nothing would be found."""

    filter: dict[str, Any] | None
    exact: bool


class ConditionView(msgspec.Struct, frozen=True, kw_only=True):
    """What to search by. What is found is filtered all the same; `open` is what only the filter decides."""

    condition: Any
    exact: bool
    open: list[str]
    sql: SqlView
    metadata: MetadataView

    @classmethod
    def of(cls, found: Prefilter) -> Self:
        """From the domain."""
        sql, filtered = where(found.condition), metadata(found.condition)
        return cls(
            condition=to_json(found.condition),
            exact=found.exact,
            open=list(found.open),
            sql=SqlView(where=sql.text, parameters=sql.parameters, exact=sql.exact),
            metadata=MetadataView(filter=filtered.filter, exact=filtered.exact),
        )


class SourceView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document or a result in a task's context."""

    origin: Origin
    name: str
    action: str
    digest: str
    labels: list[str]
    at: datetime
    agent: str
    decision: str = ""
    record: str = ""

    @classmethod
    def of(cls, source: Source) -> Self:
        """From the domain."""
        return cls(
            origin=source.origin,
            name=source.name,
            action=source.action,
            digest=source.digest,
            labels=list(source.labels),
            at=source.at,
            agent=source.agent,
            decision=source.decision,
            record=source.record,
        )
