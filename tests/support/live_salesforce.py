"""A real Salesforce org, as the environment names it, and what is asked of it without our code."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from pydantic import ValidationError

from connectors.salesforce import DEFAULT_VERSION, connect
from connectors.salesforce.tokens import tokens_for
from crmtrail.clock import SystemClock
from crmtrail.config import SourceConfig
from crmtrail.model import Mode, Page
from crmtrail.ports import Connector

SOURCE: Final = "live"
PREFIX: Final = "LIVE_SF_"
LAST_NAME: Final = "crmtrail live test"
_SECONDS: Final = 120
_SECRET: Final = ("client_id", "client_secret")
_JWT: Final = ("client_id", "key_file", "username")


class Incomplete(Exception):
    """The environment does not say which org to test, or not well enough."""


@dataclass(frozen=True)
class Place:
    """Where the live run takes place. ``writes``: records may be made there, and removed again."""

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
    url = environ.get(f"{PREFIX}URL", "")
    auth = _auth(environ)
    missing = [] if url else [f"{PREFIX}URL"]
    if auth is None:
        missing.append(
            f"{PREFIX}TOKEN (or {PREFIX}CLIENT_ID with {PREFIX}CLIENT_SECRET, "
            f"or with {PREFIX}KEY_FILE and {PREFIX}USERNAME)"
        )
    if missing:
        raise Incomplete(f"the live test of Salesforce was not run; set {' and '.join(missing)}")
    version = environ.get(f"{PREFIX}VERSION", DEFAULT_VERSION)
    written = {"kind": "salesforce", "base_url": url, "auth": auth, "api_version": version}
    try:
        settings = SourceConfig.model_validate(written)
    except ValidationError as error:
        told = "; ".join(one["msg"] for one in error.errors(include_input=False))
        raise Incomplete(f"the live test of Salesforce was not run: {told}") from None
    return Place(settings, environ.get(f"{PREFIX}WRITE") == "1")


def _auth(environ: Mapping[str, str]) -> dict[str, str] | None:
    names = ("TOKEN", "CLIENT_ID", "CLIENT_SECRET", "KEY_FILE", "USERNAME")
    told = {name.lower(): value for name in names if (value := environ.get(f"{PREFIX}{name}"))}
    if "token" in told:
        return {"method": "token", "token": told["token"]}
    if told.keys() >= set(_SECRET):
        return {"method": "client_credentials", **{key: told[key] for key in _SECRET}}
    if told.keys() >= set(_JWT):
        return {"method": "jwt", **{key: told[key] for key in _JWT}}
    return None


class RawOrg:
    """The same org over bare HTTP: what it truly answers, with status, headers and body."""

    def __init__(self, place: Place) -> None:
        settings = place.settings
        grant = tokens_for(SOURCE, settings, settings.auth, SystemClock()).current()
        self._token = grant.token
        self._origin = grant.origin
        self.version = settings.api_version
        self._http = requests.Session()
        self._http.trust_env = self._origin.startswith("https:")
        self._http.headers["Authorization"] = f"Bearer {grant.token}"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def root(self) -> str:
        """The path under which this API version lies."""
        return f"/services/data/v{self.version}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request under the version's path; ``options`` are those of `requests`."""
        url = f"{self._origin}{self.root}/{path}"
        return self._http.request(method, url, timeout=_SECONDS, allow_redirects=False, **options)

    def rows(self, soql: str, *, deleted: bool = False) -> Sequence[dict[str, Any]]:
        """Return the first page of a query's rows."""
        path = "queryAll/" if deleted else "query/"
        answer = self.call("GET", path, params={"q": soql})
        assert answer.status_code == 200, self.told(answer)
        rows: Sequence[dict[str, Any]] = answer.json()["records"]
        return rows

    def contacts(
        self, where: str, fields: str = "Id, Title", *, deleted: bool = False
    ) -> Sequence[dict[str, Any]]:
        """Return the fields of some contacts; ``where`` may end in an order."""
        return self.rows(contacts_query(where, fields), deleted=deleted)

    def undelete(self, ids: Sequence[str]) -> requests.Response:
        """Call undelete over SOAP."""
        told = "".join(f"<urn:ids>{id_}</urn:ids>" for id_ in ids)
        body = (
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Header><urn:SessionHeader>'
            f"<urn:sessionId>{self._token}</urn:sessionId></urn:SessionHeader></soapenv:Header>"
            f"<soapenv:Body><urn:undelete>{told}</urn:undelete></soapenv:Body></soapenv:Envelope>"
        )
        return self._http.post(
            f"{self._origin}/services/Soap/u/{self.version}",
            data=body.encode(),
            headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "undelete"},
            timeout=_SECONDS,
        )

    def now(self) -> datetime:
        """Return the org's clock, whole seconds; costs no call of the quota."""
        answer = self._http.get(f"{self._origin}/services/data/", timeout=_SECONDS)
        return parsedate_to_datetime(answer.headers["Date"])

    def await_second(self, after: datetime) -> None:
        """Wait until the org's clock shows a later second than a moment; 60 seconds at most."""
        for _ in range(300):
            if self.now() > after:
                return
            time.sleep(0.2)
        raise AssertionError(f"the org's clock does not get past {after}")

    def told(self, answer: requests.Response) -> str:
        """Return status and body in one short line, without the token."""
        return f"{answer.status_code} {answer.text[:300]}".replace(self._token, "[token]").strip()


def contacts_query(where: str, fields: str) -> str:
    """Return the SOQL for some contacts."""
    return f"SELECT {fields} FROM Contact WHERE {where}"  # noqa: S608 -- SOQL of our own making


def among(ids: Sequence[str]) -> str:
    """Return the condition that an id is one of some."""
    return f"Id IN ({', '.join(repr(id_) for id_ in ids)})"


def walk(connector: Connector, object_: str, position: str | None, most: int) -> list[Page]:
    """Run to the end, waiting where a page says so; more than ``most`` pages fail."""
    pages: list[Page] = []
    cursor = connector.start(object_, position, Mode.INCREMENTAL)
    while len(pages) < most:
        pages.append(connector.page(object_, cursor))
        cursor = pages[-1].cursor
        if pages[-1].done:
            return pages
        time.sleep(pages[-1].pause)
    raise AssertionError(f"the run of {object_} did not end within {most} pages")
