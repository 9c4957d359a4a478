"""One request and its answer: sessions that end, the vendor's limits and clock, refusals.

Everything goes through `Exchange._exchange`: a session that ended is begun anew once, and the same
request is sent again with the same headers and body. simple-salesforce's own refresh drops the
caller's headers, and it repeats a persistent 401 without end.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import requests
from simple_salesforce.exceptions import SalesforceError

from connectors.salesforce.answers import Answer, http_date, understand, usage
from connectors.salesforce.tokens import Bare, Grant, Tokens
from connectors.salesforce.transport import Bearer, Rest, never_sent, session_for, why
from crmtrail.config import SourceConfig
from crmtrail.errors import Ambiguous, CredentialsRefused, CrmtrailError, Unavailable
from crmtrail.model import Usage
from crmtrail.ports import Clock

T = TypeVar("T")

_RENEWALS = 2
"""A session that another process left may have ended too; a login of our own comes after it."""


class Exchange:
    """Requests to one org with one identity.

    Attributes:
        source: our name for the org.
        version: of the API, like ``62.0``.
        calls: how many requests went out; logins are not among them.
        usage: the vendor's last word on our API budget.
        asked_at: the vendor's clock when the newest answered request was sent, never too late.
        told_at: the vendor's clock when it answered.
        heard: whether there was an answer yet; until then the two clocks are our own.
    """

    def __init__(
        self, source: str, settings: SourceConfig, tokens: Tokens | str, version: str, clock: Clock
    ) -> None:
        self.source = source
        self.version = version
        self.calls = 0
        self.heard = False
        self.usage = Usage()
        self._settings = settings
        self._tokens = tokens if isinstance(tokens, Tokens) else Bare(tokens, settings.base_url)
        self._clock = clock
        self.asked_at = self.told_at = clock.now()
        self._headers: Mapping[str, str] = {}
        self._session = session_for(settings)
        self._session.hooks["response"].append(self._hear)
        self._grant = Grant("none", settings.base_url)
        self._rest = self._speaking(self._grant)

    @property
    def base_url(self) -> str:
        """The address under which all resources of this API version lie."""
        return self._rest.base_url

    @property
    def modified(self) -> str:
        """The Last-Modified header of the newest answer, as it came; empty where it had none."""
        return self._headers.get("Last-Modified", "")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _exchange(self, send: Callable[[], T], *, writing: bool) -> T:
        """Send a request; where its session has ended, begin one anew and send it once more."""
        self._adopt(self._tokens.current())
        for _ in range(_RENEWALS):
            try:
                return self._sent(send, writing=writing)
            except CredentialsRefused:
                if not self._tokens.renewable:
                    raise
            self._adopt(self._tokens.renew(self._grant))
            if self._grant.begun:
                break
        try:
            return self._sent(send, writing=writing)
        except CredentialsRefused as error:
            hint = "a session that had just begun was refused too: look at the user's and the app's"
            raise CredentialsRefused(str(error), hint=f"{hint} policies in Setup") from None

    def _sent(self, send: Callable[[], T], *, writing: bool) -> T:
        self.calls += 1
        self._headers = {}
        try:
            return send()
        except SalesforceError as error:
            raise self._refused(error.status, error.content, writing=writing) from None
        except requests.RequestException as error:
            raise self._lost(error, writing=writing) from None

    def _adopt(self, grant: Grant) -> None:
        if grant is not self._grant:
            self._grant = grant
            self._rest = self._speaking(grant)

    def _speaking(self, grant: Grant) -> Rest:
        self._session.auth = Bearer(grant.token)
        return Rest(grant.origin, grant.token, self.version, self._session)

    def _hear(self, response: requests.Response, **_: object) -> None:
        """Note what every answer tells beside its body, errors included."""
        self.heard = True
        self._headers = response.headers
        self.usage = usage(response.headers) or self.usage
        self.told_at = http_date(response.headers.get("Date")) or self._clock.now()
        # Date is cut to the second and made after the query ran: step back by both.
        asked = self.told_at - response.elapsed - timedelta(seconds=1)
        self.asked_at = asked.replace(microsecond=0)

    def _refused(self, status: int, content: Any, *, writing: bool) -> CrmtrailError:
        if isinstance(content, str):
            content = content.replace(self._grant.token, "[token]")
        answer = Answer(self.source, status, content, self._headers, self.told_at)
        found = understand(answer, writing=writing)
        found.args = (str(found).replace(self._grant.token, "[token]"),)
        return found

    def _lost(self, error: requests.RequestException, *, writing: bool) -> CrmtrailError:
        told = why(error)
        if never_sent(error):
            self.calls -= 1
            return Unavailable(f"Salesforce cannot be reached: {told}")
        if writing:
            return Ambiguous(
                f"no word from Salesforce on a write: {told}",
                hint="the records are read back before anything else is written",
            )
        return Unavailable(f"Salesforce did not answer: {told}")

    def _nonsense(self, *, writing: bool) -> CrmtrailError:
        text = "Salesforce answered something that is not what it documents"
        return Ambiguous(text) if writing else Unavailable(text)
