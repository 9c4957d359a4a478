"""One HubSpot account behind the port `crmtrail.ports.Connector`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import TypeVar

from connectors.hubspot import associations, discovery
from connectors.hubspot import schema as metadata
from connectors.hubspot.associations import Associations
from connectors.hubspot.changes import Changes
from connectors.hubspot.client import Client
from connectors.hubspot.cursor import opening
from connectors.hubspot.discovery import Discovery
from connectors.hubspot.groups import GROUPS, Groups
from connectors.hubspot.hearsay import hearsay_of
from connectors.hubspot.lookup import READ_BATCH, Lookup, requested
from connectors.hubspot.pacing import pacer_for
from connectors.hubspot.people import People
from connectors.hubspot.quota import Quota
from connectors.hubspot.refusals import Absent, Refusal
from connectors.hubspot.shapes import Account, TokenFacts
from connectors.hubspot.tokens import tokens_for
from connectors.hubspot.trail_objects import TrailObjects
from connectors.hubspot.transport import Transport
from connectors.hubspot.versions import versions_of
from connectors.hubspot.writer import Writer
from connectors.hubspot.writing import WRITE_BATCH
from crmtrail.config import Auth, SourceConfig
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
from crmtrail.sessions import Sessions

T = TypeVar("T")

_PRIVATE_APP = "pat-"
"""How the tokens of private apps begin; only those can be asked which app they belong to."""


class HubSpotConnector:
    """Speaks to HubSpot through its own client, with one connection pool and no retries.

    Args:
        source: the source's name in the config.
        settings: where and how.
        auth: how to log in; another identity for restores, if configured.
        clock: used where HubSpot does not tell the time.
        sessions: what is shared by the connectors of one process.
    """

    read_batch = READ_BATCH
    write_batch = WRITE_BATCH
    bulk_batch = WRITE_BATCH
    undeletes = False

    def __init__(
        self,
        source: str,
        settings: SourceConfig,
        auth: Auth,
        clock: Clock,
        sessions: Sessions,
    ) -> None:
        self.source = source
        self._tokens = tokens_for(source, settings, auth, sessions)
        self._transport = Transport(
            base_url=settings.base_url,
            token=self._tokens,
            version=versions_of(settings),
            timeout=settings.timeout,
            clock=clock,
            pacer=pacer_for(source, settings.base_url, auth, sessions),
            quota=sessions.of(("hubspot", source, settings.base_url, "quota"), Quota),
        )
        self._client = Client(self._transport)
        self._schemas: dict[str, Schema] = {}
        self._discovery = Discovery(self._client, settings.objects)
        self._sensitive = settings.sensitive
        self._associations = Associations(self._client, source, self._discovery)
        people = People(self._client, clock)
        groups = Groups(self._client, source, people, clock)
        self._trails: tuple[TrailObjects, ...] = (self._associations, groups)
        self._writer = Writer(self._client, self._fields, self._associations, self._is_log)
        months, heard = settings.history_months, hearsay_of(sessions, source)
        self._lookup = Lookup(self._client, source, self._names, people, months, heard)
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
        self._transport.quota.learn_zone(account.time_zone)
        told_at = self._transport.now()
        facts = self._facts()
        portal = str(account.portal_id or facts.hub_id or "")
        kind = (account.account_type or "").replace("_", " ").lower()
        name = " ".join(part for part in ("HubSpot", portal, f"({kind})" if kind else "") if part)
        return Identity(portal, str(facts.app_id or facts.user_id or "token"), name, told_at)

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the standard and custom objects that the token may read, or those of a group.

        Raises:
            Mistake: there is no such group.
        """
        if not group:
            return self._discovery.readable()
        if group == associations.GROUP:
            return self._associations.pairs()
        if group in discovery.CARRIERS:
            return self._discovery.carriers(group)
        if group in GROUPS:
            return GROUPS[group]
        every = (associations.GROUP, *GROUPS, *discovery.CARRIERS)
        known = ", ".join(f"@{one}" for one in every)
        raise Mistake(f"HubSpot has no group @{group}", hint=f"there are {known}")

    def schema(self, object_: str) -> Schema:
        """Return the properties of an object as of now, and remember them."""
        if (trail := self._trail(object_)) is not None:
            return trail.schema(object_)
        try:
            properties = self._client.properties(object_).results
            if self._sensitive:
                properties = [*properties, *self._discovery.sensitive(object_)]
        except (Absent, Refusal):
            raise Mistake(
                f"HubSpot knows no object {object_!r}",
                hint="`crmtrail doctor` lists the objects that this token can see",
            ) from None
        schema = metadata.schema_of(self.source, object_, properties)
        self._schemas[object_] = schema
        return schema

    def named(self, object_: str) -> str:
        """Return the one name under which an object is kept."""
        return self._discovery.named(object_)

    def missing(self, objects: Sequence[str]) -> Sequence[str]:
        """Return what is left out of all objects, and which properties are hidden."""
        hidden = self._discovery.hidden(objects, sensitive=self._sensitive)
        return [*hidden, *self._associations.hidden()]

    def start(self, object_: str, position: str | None, mode: Mode) -> str:
        """Return the cursor of a run's first page."""
        if (trail := self._trail(object_)) is not None:
            return trail.start(object_, position, mode)
        return opening(position, mode).text()

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page of a run."""
        if (trail := self._trail(object_)) is not None:
            return trail.page(object_, cursor)
        return self._changes.page(object_, cursor)

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        """Return records as they are now, by the id asked for."""
        if len(ids) > self.read_batch:
            raise Mistake(f"at most {self.read_batch} records can be read at once")
        if (found := self._trail(object_)) is not None:
            return found.read(object_, tuple(dict.fromkeys(ids)))
        return self._lookup.read(object_, tuple(dict.fromkeys(ids)), history=trail) if ids else {}

    def price(self, records: int) -> tuple[int, int]:
        """Return what so many records cost to read and to write, in requests."""
        return ceil(records / self.read_batch), ceil(records / self.write_batch)

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values, with one answer for each write."""
        return self._writer.write(object_, writes)

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Refuse: HubSpot has no request that takes a record out of its recycle bin."""
        return self._writer.undelete(object_, writes)

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Make records anew, under other ids."""
        return self._writer.recreate(object_, writes)

    def recreated(
        self, object_: str, writes: Sequence[Write], since: datetime
    ) -> Mapping[str, str | None]:
        """Look for records made anew by requests of which the answer was lost, by key.

        Absent: there is none, and one may be made. None: that cannot be told.
        """
        return self._writer.recreated(object_, writes, since)

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Move records to the recycle bin."""
        return self._writer.remove(object_, writes)

    def usage(self) -> Usage:
        """Return the daily quota as HubSpot last told it."""
        return self._transport.usage()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _trail(self, object_: str) -> TrailObjects | None:
        """Return whose object this is, if it is none of records."""
        return next((one for one in self._trails if one.owns(object_)), None)

    def _is_log(self, object_: str) -> bool:
        return self._trail(object_) not in (None, self._associations)

    def _names(self, object_: str) -> Sequence[str]:
        known = self._schemas.get(object_) or self.schema(object_)
        return requested(object_, tuple(known.fields))

    def _fields(self, object_: str) -> Mapping[str, Field]:
        """Return the fields for a check before writing; none if the token may not see them."""
        try:
            return (self._schemas.get(object_) or self.schema(object_)).fields
        except PermissionMissing:
            return {}

    def _facts(self) -> TokenFacts:
        """Return what the token says of itself, where its kind can be asked."""
        if self._tokens.renewable:
            told = self._tokens.introspected()
            return TokenFacts(told.app_id, told.user_id, told.hub_id)
        if self._tokens.current().token.startswith(_PRIVATE_APP):
            return self._told(self._token_facts) or TokenFacts()
        return TokenFacts()

    def _token_facts(self) -> TokenFacts | None:
        try:
            return self._client.token(self._tokens.current().token)
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
