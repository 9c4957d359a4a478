"""One HubSpot account behind the port `crmtrail.ports.Connector`."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import TypeVar

from connectors.hubspot import schema as metadata
from connectors.hubspot.changes import Changes
from connectors.hubspot.client import Client
from connectors.hubspot.cursor import opening
from connectors.hubspot.lookup import READ_BATCH, Lookup, requested
from connectors.hubspot.people import People
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Account, TokenFacts
from connectors.hubspot.transport import Transport
from connectors.hubspot.writing import WRITE_BATCH, Writing
from connectors.unable import unable
from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.errors import CredentialsRefused, Mistake, PermissionMissing, Unavailable
from crmtrail.model import (
    Answer,
    Field,
    Identity,
    Mode,
    Page,
    Reading,
    Removal,
    Schema,
    Usage,
    Write,
)
from crmtrail.ports import Clock

T = TypeVar("T")

_PRIVATE_APP = "pat-"
"""How the tokens of private apps begin; only those can be asked which app they belong to."""


class HubSpotConnector:
    """Speaks to HubSpot through its own client, with one connection pool and no retries.

    Args:
        source: the source's name in the config.
        settings: where and how.
        auth: the token to use; another one for restores, if configured.
        clock: used where HubSpot does not tell the time.
    """

    read_batch = READ_BATCH
    write_batch = WRITE_BATCH
    bulk_batch = WRITE_BATCH

    def __init__(self, source: str, settings: SourceConfig, auth: AuthConfig, clock: Clock) -> None:
        self.source = source
        self._token = auth.token.get_secret_value()
        self._transport = Transport(
            base_url=settings.base_url,
            token=self._token,
            version=settings.api_version,
            timeout=settings.timeout,
            clock=clock,
        )
        self._client = Client(self._transport)
        self._schemas: dict[str, Schema] = {}
        people = People(self._client, clock)
        self._lookup = Lookup(self._client, source, self._names, people)
        self._changes = Changes(self._client, self._lookup, self._names, settings.overlap)

    @property
    def calls(self) -> int:
        """How many requests were sent."""
        return self._transport.calls

    def identity(self) -> Identity:
        """Return the account (portal) and, where the token tells it, the app behind it.

        What HubSpot does not tell is empty: nothing rests on it.

        Raises:
            CredentialsRefused: HubSpot refuses the token.
        """
        account = self._told(self._client.account) or Account()
        self._transport.learn_zone(account.time_zone)
        told_at = self._transport.now()
        facts = TokenFacts()
        if self._token.startswith(_PRIVATE_APP):
            facts = self._told(self._token_facts) or facts
        portal = str(account.portal_id or facts.hub_id or "")
        kind = (account.account_type or "").replace("_", " ").lower()
        name = " ".join(part for part in ("HubSpot", portal, f"({kind})" if kind else "") if part)
        return Identity(portal, str(facts.app_id or facts.user_id or "token"), name, told_at)

    def objects(self, group: str = "") -> Sequence[str]:
        """Return standard and custom objects that the token may read.

        Raises:
            Mistake: there are no groups of trail objects yet.
        """
        if group:
            raise Mistake(
                f"HubSpot has no group @{group}", hint="name the objects themselves in the config"
            )
        return metadata.objects(self._client)

    def schema(self, object_: str) -> Schema:
        """Return the properties of an object as of now, and remember them."""
        try:
            properties = self._client.properties(object_).results
        except (Absent, Refusal):
            raise Mistake(
                f"HubSpot knows no object {object_!r}",
                hint="`crmtrail doctor` lists the objects that this token can see",
            ) from None
        schema = metadata.schema_of(self.source, object_, properties)
        self._schemas[object_] = schema
        return schema

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return nothing: HubSpot does not tell which properties a token does not see."""
        del objects
        return ()

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of a run's first page."""
        del object_
        return opening(position, mode).text()

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page of a run."""
        return self._changes.page(object_, cursor)

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        """Return records as they are now, by the id asked for."""
        if len(ids) > self.read_batch:
            raise Mistake(f"at most {self.read_batch} records can be read at once")
        return self._lookup.read(object_, tuple(dict.fromkeys(ids)), history=trail) if ids else {}

    def price(self, records: int) -> tuple[int, int]:
        """Return what so many records cost to read and to write, in requests."""
        return ceil(records / self.read_batch), ceil(records / self.write_batch)

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values, with one answer for each write."""
        if len(writes) > self.write_batch:
            raise Mistake(f"at most {self.write_batch} records can be written at once")
        fields = self._fields(object_) if writes else {}
        return Writing(self._client, object_, fields).write(writes)

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Refuse: HubSpot has no request that takes a record out of its recycle bin."""
        del object_
        return unable(
            writes,
            "HubSpot restores archived records only in its own recycle bin",
            "restore it there (Settings, Recycle bin), within 90 days",
        )

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Refuse: records of HubSpot are not made anew yet."""
        del object_
        return unable(
            writes,
            "crmtrail does not make HubSpot records anew yet",
            "restore it in HubSpot's recycle bin, within 90 days",
        )

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Refuse: records of HubSpot are not archived by crmtrail yet."""
        del object_
        return unable(
            writes, "crmtrail does not archive HubSpot records yet", "archive it in HubSpot"
        )

    def usage(self) -> Usage:
        """Return the daily quota as HubSpot last told it."""
        return self._transport.usage()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _names(self, object_: str) -> Sequence[str]:
        known = self._schemas.get(object_) or self.schema(object_)
        return requested(tuple(known.fields))

    def _fields(self, object_: str) -> Mapping[str, Field]:
        """Return the fields for a check before writing; none if the token may not see them."""
        try:
            return (self._schemas.get(object_) or self.schema(object_)).fields
        except PermissionMissing:
            return {}

    def _token_facts(self) -> TokenFacts | None:
        try:
            return self._client.token(self._token)
        except CredentialsRefused:  # not every kind of token may ask about itself
            return None

    def _told(self, ask: Callable[[], T | None]) -> T | None:
        """Return what HubSpot tells, or None where it does not serve that or not to us.

        Raises:
            Unavailable: there was no answer at all.
        """
        before = self._transport.answers
        try:
            return ask()
        except (Absent, Refusal, PermissionMissing):
            return None
        except Unavailable:
            if self._transport.answers == before:
                raise
            return None
