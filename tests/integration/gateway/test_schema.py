"""Generated requests against the OpenAPI document, as nobody and as each role.

All checks of schemathesis run: no server error, no undeclared status, content type, header or body,
nothing invalid taken, no check of credentials left out.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import SkipTest

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import negative_data_rejection

from common.messages import AuditPage, Envelope, seal
from gateway.identity.local import begin_local_session
from integration.gateway.site import Site

# Randomised: coverage would cost half a minute and is had without it.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

ROLES = ["", "administrator", "operator", "auditor", "viewer"]
SECONDS = 240
ENDLESS = "/api/events/stream"  # its answer has no end
# A schema cannot say that a password is weak or that a time lies in the past.
REFUSED_FOR_SENSE = ["400", "422", "423"]

VALID, INVALID = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
Operation = APIOperation[Any, Any, Any, Any]


def bounded(examples: int) -> settings:
    """So many requests, the same ones each time."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def try_out(operation: Operation, mode: GenerationMode, url: str, headers: dict[str, str]) -> None:
    """Send some requests to one operation. What nobody may do is not tried as often."""

    @bounded(2 if headers else 1)
    @given(case=operation.as_strategy(mode))
    def attempt(case: Case[Any]) -> None:
        if case.headers:
            case.headers.pop("Prefer", None)  # nobody works here, so the wait would be in vain
        # A form holds text alone: what is wrong as a number or as null is right as the text of it.
        form = case.media_type == "multipart/form-data"
        case.call_and_validate(
            base_url=url,
            headers=headers,
            timeout=60,
            excluded_checks=[negative_data_rejection] if form else [],
        )

    with contextlib.suppress(SkipTest, Unsatisfiable):  # nothing of it can be wrong
        attempt()


async def headers_of(site: Site, role: str) -> dict[str, str]:
    if not role:
        return {}
    token = await begin_local_session(site.runtime, await site.add_user([role]))
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(autouse=True)
def same_constants(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is drawn holds no constants of whichever modules other tests have loaded."""
    monkeypatch.setattr(providers, "_get_local_constants", Constants)
    providers.CONSTANTS_CACHE.cache.clear()
    yield
    providers.CONSTANTS_CACHE.cache.clear()


@pytest.fixture(autouse=True)
async def auditor(site: Site) -> None:
    """Something that answers for audit-sink."""

    async def answer(question: Envelope) -> Envelope:
        return seal(AuditPage(entries=(), total=0), source="audit-sink")

    await site.workers.answer("audit-sink.questions", answer)


@pytest.fixture(scope="module")
async def operations(site: Site) -> list[Operation]:
    """Every operation of the document whose answer ends."""
    document = (await site.anonymous().get("/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(document)
    acceptance = schema.config.checks.positive_data_acceptance
    acceptance.expected_statuses = [*acceptance.expected_statuses, *REFUSED_FOR_SENSE]
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "413"]
    found: list[Operation] = []
    for each in schema.get_all_operations():
        assert isinstance(each, Ok), each.err()
        found.append(each.ok())
    return [operation for operation in found if operation.path != ENDLESS]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role or "anonymous")
async def test_answers_are_those_that_the_document_declares(
    site: Site, operations: list[Operation], role: str
) -> None:
    """Otherwise a client written from the document meets what it cannot read, or breaks us."""
    failures = []
    async with asyncio.timeout(SECONDS):
        for operation in operations:
            headers = await headers_of(site, role)
            for mode in (VALID, INVALID):
                try:
                    await asyncio.to_thread(try_out, operation, mode, site.url, headers)
                except Exception as error:  # noqa: BLE001 - one failure hides no other
                    failures.append(f"{operation.label}: {error}")
    assert not failures, "\n\n".join(failures)
