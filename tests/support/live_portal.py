"""A real HubSpot portal, as the environment names it, and what is asked of it without our code."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from pydantic import ValidationError

from connectors.hubspot import connect
from connectors.hubspot.tokens import tokens_for
from crmtrail.clock import SystemClock
from crmtrail.config import SourceConfig
from crmtrail.ports import Connector
from crmtrail.sessions import Sessions
from support.live_findings import Assumption

SOURCE: Final = "live"
PREFIX: Final = "LIVE_HS_"
LAST_NAME: Final = "crmtrail live test"
_SECONDS: Final = 120
_OAUTH: Final = ("client_id", "client_secret", "refresh_token")
TEST_KINDS: Final = frozenset({"SANDBOX", "DEVELOPER_TEST"})
"""Account types on which nobody's business rests."""

ASSUMPTIONS: Final = {
    one.name: one
    for one in (
        Assumption("cleared", 'a cleared value is an entry of the history with the value ""'),
        Assumption("actor", "our own writes appear as INTEGRATION or API with the app's id"),
        Assumption("trace", "batch update gives objectWriteTraceId back"),
        Assumption("in-one", "batch update without trace ids: one bad value refuses all"),
        Assumption("archived-404", "GET of an archived record: 404 without archived=true"),
        Assumption("archived-history", "the history of archived records can be read"),
        Assumption("archived-order", "the list of archived records is in the order of ids"),
        Assumption("merge-id", "a merge makes a new id, and the old ids lead to it"),
        Assumption("merge-search", "search gives hs_merged_object_ids"),
        Assumption("associating", "associating a record does not move its last-modified stamp"),
        Assumption("to-number", "toObjectId of associations is a number"),
        Assumption("labels-path", "association labels lie at the path of HubSpot's client"),
        Assumption("lag", "a new record is in the search index within 60 seconds"),
        Assumption("wrong-stamp", "contacts by hs_lastmodifieddate: nothing is found, no error"),
        Assumption("undefined", "a property that is not defined is left out of answers"),
        Assumption("search-headers", "search answers tell no limits"),
        Assumption("daily-headers", "other answers tell the daily quota to this kind of token"),
        Assumption("resets", "the usage endpoint tells when the day ends"),
        Assumption("audit-gate", "audit logs are given out to Enterprise only (403 elsewhere)"),
        Assumption("logins", "sign-ins are given out to this token"),
        Assumption("token-info", "a private app's token can be asked which app it belongs to"),
    )
}  # fmt: skip
"""From section 14 of the facts that the connector rests on, and from what they mark as doubtful."""

UNTRIED: Final = (
    "whether ids are compared as numbers or as texts in the index",
    "whether restoring from the bin keeps the history, and whether a webhook tells it",
    "whether a 429 carries Retry-After",
    "the life of access tokens of OAuth, and whether refresh tokens are ever replaced",
    "the journal of webhooks, and who gets it",
    "how long audit logs reach back over the API",
    "the cap of the history (45 or 20 values)",
    "whether the daily quota binds service keys",
)
"""What a run on three contacts cannot show."""


class Incomplete(Exception):
    """The environment does not say which portal to test, or not well enough."""


@dataclass(frozen=True)
class Place:
    """Where the live run takes place. ``writes``: records may be made there, and archived again."""

    settings: SourceConfig
    writes: bool

    def connect(self) -> Connector:
        """Return a new connector."""
        return connect(SOURCE, self.settings, self.settings.auth, SystemClock())


def place_from(environ: Mapping[str, str]) -> Place:
    """Read where to test.

    Raises:
        Incomplete: a variable is missing or wrong; one line says which.
    """
    auth = _auth(environ)
    if auth is None:
        others = ", ".join(f"{PREFIX}{name.upper()}" for name in _OAUTH)
        raise Incomplete(
            f"the live test of HubSpot was not run; set {PREFIX}TOKEN (or {others} together)"
        )
    written = {
        "kind": "hubspot",
        "base_url": environ.get(f"{PREFIX}URL") or "https://api.hubapi.com",
        "auth": auth,
        "api_version": environ.get(f"{PREFIX}VERSION", ""),
        "write_api_version": environ.get(f"{PREFIX}WRITE_VERSION", ""),
    }
    try:
        settings = SourceConfig.model_validate(written)
    except ValidationError as error:
        told = "; ".join(one["msg"] for one in error.errors(include_input=False))
        raise Incomplete(f"the live test of HubSpot was not run: {told}") from None
    return Place(settings, environ.get(f"{PREFIX}WRITE") == "1")


def _auth(environ: Mapping[str, str]) -> dict[str, str] | None:
    if token := environ.get(f"{PREFIX}TOKEN"):
        return {"method": "token", "token": token}
    told = {key: environ.get(f"{PREFIX}{key.upper()}", "") for key in _OAUTH}
    return {"method": "refresh_token", **told} if all(told.values()) else None


class RawPortal:
    """The same portal over bare HTTP: what it truly answers, with status, headers and body."""

    def __init__(self, place: Place) -> None:
        settings = place.settings
        self._url = settings.base_url
        grant = tokens_for(SOURCE, settings, settings.auth, Sessions()).current()
        self._token = grant.token
        self._http = requests.Session()
        self._http.trust_env = self._url.startswith("https:")
        self._http.headers["Authorization"] = f"Bearer {grant.token}"
        self.is_private = place.settings.auth.method == "token"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request; ``options`` are those of `requests`."""
        return self._http.request(
            method, self._url + path, timeout=_SECONDS, allow_redirects=False, **options
        )

    def get(self, path: str, **query: object) -> requests.Response:
        """Read something of v3."""
        return self.call("GET", path, params=query)

    def post(self, path: str, body: object) -> requests.Response:
        """Send a body."""
        return self.call("POST", path, json=body)

    def details(self) -> dict[str, Any]:
        """Return the account's details."""
        answer = self.get("/account-info/v3/details")
        assert answer.status_code == 200, self.told(answer)
        found: dict[str, Any] = answer.json()
        return found

    def token_info(self) -> requests.Response:
        """Ask which app a private token belongs to; the token goes in the body."""
        path = "/oauth/v2/private-apps/get/access-token-info"
        return self.post(path, {"tokenKey": self._token})

    def contact(self, id_: str, **query: object) -> requests.Response:
        """Read one contact."""
        return self.get(f"/crm/v3/objects/contacts/{id_}", **query)

    def search(self, *filters: Mapping[str, object], **more: object) -> requests.Response:
        """Search contacts by all of these filters; waits a little, for searches are limited."""
        time.sleep(0.3)
        body = {"filterGroups": [{"filters": list(filters)}], "limit": 100, **more}
        return self.post("/crm/v3/objects/contacts/search", body)

    def await_(self, found: Callable[[], bool], seconds: float) -> float | None:
        """Ask again and again; return after how many seconds it was found, None if never."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            if found():
                return time.monotonic() - begun
            time.sleep(0.5)
        return None

    def now(self) -> datetime:
        """Return HubSpot's clock, whole seconds."""
        date = self.get("/account-info/v3/details").headers["Date"]
        return parsedate_to_datetime(date).astimezone(UTC)

    def told(self, answer: requests.Response) -> str:
        """Return status and body in one short line, without the token."""
        return f"{answer.status_code} {answer.text[:300]}".replace(self._token, "[token]").strip()
