"""Schemathesis over the document that the real server serves, as its administrator and as nobody.

Every operation gets generated requests, valid and not, with a fresh proof each; what comes back must be what
the document says. Bounded and derandomized: the same requests on every run.
"""

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from requests.auth import AuthBase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from remit.kernel.jose import dpop
from remit.surface.cli.client import Client
from support.effort import rounds
from support.installation import Installation, installation

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOUNDED = settings(
    max_examples=rounds(2, long=25),
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Proving(AuthBase):
    """The operator's token with a proof for exactly this request."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.token = client._fetch_token()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["authorization"] = f"DPoP {self.token}"
        request.headers["dpop"] = dpop.make_proof(
            self.client._private,
            method=str(request.method),
            target=str(request.url).partition("?")[0],
            jti=secrets.token_urlsafe(18),
            at=datetime.now(UTC),
            access_token=self.token,
        )
        return request


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("installation")) as running:
        yield running


@pytest.fixture(scope="module")
def document(here: Installation) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{here.url}/openapi.json", trust_env=False).json()
    return found


@pytest.fixture(scope="module")
def proving(here: Installation) -> Iterator[Proving]:
    with Client.open(here.environment()) as client:
        yield Proving(client)


def operations(document: dict[str, Any]) -> list[Any]:
    # The credentials are ours: a generated one would only ever be refused.
    open_document = {name: part for name, part in document.items() if name != "security"}
    schema = schemathesis.openapi.from_dict(open_document)
    found = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(found) == sum(len(methods) for methods in document["paths"].values())
    # A stream has no end to wait for; `test_stream` knocks at it.
    return [each for each in found if "text/event-stream" not in json.dumps(each.definition.raw)]


@pytest.mark.attack("DS-02", "RA-02")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_every_operation_answers_as_its_document_says(
    here: Installation, document: dict[str, Any], proving: Proving, mode: GenerationMode
) -> None:
    """All findings are gathered, so that one does not hide the next."""
    session = requests.Session()
    session.trust_env = False
    must_refuse = mode is GenerationMode.NEGATIVE
    faults: dict[str, str] = {}
    sent = 0
    for operation in operations(document):

        @BOUNDED
        @given(case=operation.as_strategy(generation_mode=mode))
        def probe(case: Any) -> None:
            nonlocal sent
            sent += 1
            answer = case.call(base_url=here.url, session=session, auth=proving)
            # Schemathesis knows no 413 as a refusal, which it is; and a server that we made up is not there.
            refused = answer.status_code == 413
            if answer.status_code == 503 and str(answer.request.path_url).endswith("/discover"):
                assert answer.json()["code"] == "upstream_unavailable"
                return
            case.validate_response(
                answer, checks=[*CHECKS, negative_data_rejection] if must_refuse and not refused else CHECKS
            )
            if answer.status_code < 400:
                assert case.call(base_url=here.url, session=session).status_code == 401

        try:
            probe()
        except Unsatisfiable:
            assert must_refuse, operation.label  # nothing goes in, so nothing can be wrong
        except (Exception, BaseExceptionGroup) as failed:  # noqa: BLE001 — every finding, of each operation
            faults[operation.label] = str(failed) or repr(failed)
    assert not faults, "\n\n".join(f"{label}\n{told}" for label, told in faults.items())
    assert sent > len(operations(document))


def test_without_a_token_every_operation_is_401(here: Installation, document: dict[str, Any]) -> None:
    with httpx2.Client(base_url=here.url, trust_env=False) as nobody:
        for path, methods in document["paths"].items():
            for method in methods:
                answer = nobody.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, (method, path, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"


def test_after_all_that_the_server_is_well(here: Installation) -> None:
    assert here.remit("doctor").code == 0
    log = (here.folder / "server.log").read_text(encoding="utf-8").splitlines()
    failed = [line for line in log if "surface.request.failed" in line]
    assert all("code=upstream_unavailable" in line and "/discover" in line for line in failed), failed
