"""Recorded conversations with a Salesforce org: how they are taped and played back.

A tape holds requests to https://acme.my.salesforce.com, whichever server answered them, and no
credentials. Played back, nothing leaves the process.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import vcr
from pydantic import SecretStr
from vcr.cassette import Cassette
from vcr.request import Request

from connectors.salesforce import connect
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.ports import Connector

PUBLIC = "https://acme.my.salesforce.com"
OBJECT = "OpportunityLineItem"
NOON = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
TAPES = Path(__file__).parent.parent / "cassettes" / "salesforce"
_SCRUBBED = ("authorization", "cookie", "set-cookie")
_MATCHED = ("method", "scheme", "host", "port", "path", "query", "body")


class TapeClock:
    """Our clock while a tape runs; the vendor's is in the answers."""

    def now(self) -> datetime:
        return NOON


def _in_public(request: Request) -> Request:
    parts = urlsplit(request.uri)
    request.uri = PUBLIC + request.uri.removeprefix(f"{parts.scheme}://{parts.netloc}")
    return request


@contextmanager
def tape(path: Path, *, recording: bool) -> Iterator[Cassette]:
    """Record a tape, or play one back and see that all of it was used."""
    machine = vcr.VCR(
        record_mode="all" if recording else "none",
        match_on=_MATCHED,
        filter_headers=list(_SCRUBBED),
        before_record_request=_in_public,
        decode_compressed_response=True,
    )
    with machine.use_cassette(str(path)) as cassette:
        yield cassette
    if not recording:
        assert cassette.all_played, f"{path.name} holds requests that were not made"


@contextmanager
def taped(path: Path, base_url: str = PUBLIC, token: str = "") -> Iterator[Connector]:
    """Yield a connector whose conversation is recorded if a token is given, else played back."""
    auth = AuthConfig(token=SecretStr(token or "played-back"))
    # One object by name: with "*" a tape would hold describes of all the others too.
    config = SourceConfig(
        kind="salesforce", base_url=base_url, auth=auth, objects=(OBJECT,), history_months=0
    )
    connector = connect("sf", config, auth, TapeClock())
    with tape(path, recording=bool(token)), closing(connector):
        yield connector
