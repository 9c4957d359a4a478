"""One short story between a connector and a portal, told the same when recorded and replayed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vcr

from connectors.hubspot import connect
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import CrmtrailError
from crmtrail.model import (
    NULL,
    Answer,
    Identity,
    Mode,
    Page,
    Reading,
    Ref,
    Removal,
    Schema,
    Write,
)
from crmtrail.ports import Clock, Connector

HOST = "https://api.hubapi.com"
OBJECT = "products"
CASSETTES = Path(__file__).parent.parent / "cassettes" / "hubspot"


@dataclass
class Told:
    """What the connector said in the course of the story."""

    identity: Identity
    schema: Schema
    first: Sequence[Page]
    poll: Sequence[Page]
    answers: Sequence[Answer]
    after: Mapping[str, Reading | Removal]
    trouble: Sequence[CrmtrailError]


def connector(base_url: str, token: str, clock: Clock, api_version: str) -> Connector:
    """Return a connector that may write."""
    auth = AuthConfig.model_validate({"token": token})
    settings = SourceConfig(kind="hubspot", base_url=base_url, auth=auth, api_version=api_version)
    return connect("hs", settings, auth, clock)


def recorder(host: str = HOST) -> vcr.VCR:
    """Return a recorder that shows HubSpot's public host and no credentials."""

    def public(request: Any) -> Any:
        if "access-token-info" in request.uri or "/_sandbox/" in request.uri:
            return None  # the body of the first is the token; the second is no HubSpot at all
        request.uri = request.uri.replace(host, HOST)
        return request

    return vcr.VCR(
        cassette_library_dir=str(CASSETTES),
        filter_headers=["authorization", "user-agent"],
        match_on=["method", "scheme", "host", "path", "query", "body"],
        before_record_request=public,
        decode_compressed_response=True,
    )


def tell(
    hubspot: Connector,
    change: Callable[[Sequence[str]], None],
    trouble: Callable[[str], None],
) -> Told:
    """Load, poll after ``change`` (of the first ids), write, read back, and meet ``trouble``."""
    identity = hubspot.identity()
    schema = hubspot.schema(OBJECT)
    first = run(hubspot, None)
    ids = sorted(one.ref.id for page in first for one in page.readings)
    change(ids)
    poll = run(hubspot, first[-1].cursor)
    refs = [Ref("hs", OBJECT, id_) for id_ in ids]
    answers = hubspot.write(
        OBJECT,
        [
            Write(refs[2], {"description": '"Zo\\u00eb"'}, "step-1"),
            Write(refs[3], {"description": NULL}, "step-2"),
            Write(refs[4], {"price": '"not a number"'}, "step-3"),
        ],
    )
    after = hubspot.read(OBJECT, [ids[0], ids[1], ids[2], "99999999999"], trail=True)
    met = []
    for kind in ("unauthorized", "throttle", "unavailable"):
        trouble(kind)
        try:
            hubspot.page(OBJECT, first[0].cursor)
        except CrmtrailError as error:
            met.append(error)
    return Told(identity, schema, first, poll, answers, after, met)


def run(hubspot: Connector, position: str | None) -> list[Page]:
    """Run to the end."""
    pages: list[Page] = []
    cursor = hubspot.start(OBJECT, position, Mode.INCREMENTAL)
    while not (pages and pages[-1].done):
        pages.append(hubspot.page(OBJECT, cursor))
        cursor = pages[-1].cursor
    return pages
