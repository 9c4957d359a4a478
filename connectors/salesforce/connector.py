"""The Salesforce connector: REST, one identity, reads and restoring writes."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from connectors.salesforce import cursor as position
from connectors.salesforce import soql, writing
from connectors.salesforce.answers import Refusal
from connectors.salesforce.changes import Changes
from connectors.salesforce.client import Client
from connectors.salesforce.contents import look_up
from connectors.salesforce.ids import to18
from connectors.salesforce.people import People
from connectors.salesforce.readings import text_of
from connectors.salesforce.schema import Describe, Known, Listing, know, listed
from connectors.unable import unable
from crmtrail.config import SourceConfig
from crmtrail.errors import (
    CursorLost,
    Mistake,
    PermissionMissing,
    PersonNeeded,
    Unavailable,
)
from crmtrail.model import Answer, Identity, Mode, Page, Reading, Removal, Schema, Usage, Write
from crmtrail.ports import Clock

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class _UserInfo(msgspec.Struct):
    """The part of OAuth userinfo that says who we are."""

    organization_id: str | None = None
    user_id: str | None = None
    name: str | None = None


class Salesforce:
    """One org, seen through one identity; see `crmtrail.ports.Connector`."""

    read_batch = soql.PAGE
    write_batch = writing.BATCH
    bulk_batch = writing.BATCH

    def __init__(
        self, source: str, settings: SourceConfig, token: str, version: str, clock: Clock
    ) -> None:
        self.source = source
        self._client = Client(source, settings, token, version, clock)
        self._people = People(self._client, clock)
        self._changes = Changes(self._client, self._people, settings.overlap)
        self._known: dict[str, Known] = {}

    @property
    def calls(self) -> int:
        """How many API requests were sent so far."""
        return self._client.calls

    def identity(self) -> Identity:
        """Return the org and the user the token stands for.

        A token without the scope for that, or an address that does not serve it, still tells its
        org; the user is then left empty. What is not told at all is empty: nothing rests on it.

        Raises:
            CredentialsRefused: Salesforce refuses the token.
        """
        try:
            info = self._client.who(_UserInfo)
        except (PersonNeeded, Mistake, Unavailable):
            info = _UserInfo()
        account = info.organization_id or self._organization()
        user = info.user_id or ""
        return Identity(
            account=to18(account) or account,
            user=to18(user) or user,
            name=info.name or "",
            server_time=self._time(),
        )

    def objects(self, group: str = "") -> Sequence[str]:
        """Return the objects that this identity can sync, sorted."""
        if group:
            raise Mistake(f"Salesforce has no group @{group}")
        return listed(self._client.get("sobjects", Listing))

    def schema(self, object_: str) -> Schema:
        """Return the fields of an object as of now.

        Raises:
            Mistake: there is no such object, or this identity cannot see it.
        """
        return self._learn(object_).schema

    def start(self, object_: str, position_: str | None, mode: Mode) -> str:
        """Return the cursor of a run's first page. Sends no request."""
        del object_
        try:
            return position.write(position.start(position_, mode))
        except CursorLost:
            if mode is not Mode.FULL and position_ is not None:
                return position_  # `page` says what is wrong with it
            return position.write(position.start(None, mode))

    def page(self, object_: str, cursor: str) -> Page:
        """Return one page of changes, and the cursor of the next."""
        at = position.read(cursor)
        known = self._known.get(object_) or self._learn(object_)
        try:
            return self._changes.page(known, at)
        except Refusal as refusal:
            if refusal.code != "INVALID_FIELD":
                raise
            # A field was dropped or hidden since the describe: look again, once.
            return self._changes.page(self._learn(object_), at)

    def read(
        self, object_: str, ids: Sequence[str], *, trail: bool = False
    ) -> Mapping[str, Reading | Removal]:
        """Return records as they are now, and removals of those in the recycle bin.

        ``trail`` changes nothing: Salesforce keeps field history in objects of its own.
        """
        del trail
        if len(ids) > self.read_batch:
            raise ValueError(f"one read takes {self.read_batch} ids at most, not {len(ids)}")
        known = self._known.get(object_) or self._learn(object_)
        asked = {id_: full for id_ in ids if (full := to18(id_))}
        wanted = sorted(set(asked.values()))
        found = look_up(self._client, self._people, known, wanted) if wanted else {}
        return {id_: found[full] for id_, full in asked.items() if full in found}

    def write(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Set field values; one answer for each write, in order."""
        return writing.send(self._client, _named(object_), writes)

    def undelete(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Take records out of the recycle bin."""
        del object_
        return unable(writes, "not yet", "undelete it in Salesforce")

    def recreate(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Make records anew."""
        del object_
        return unable(writes, "not yet", "create it in Salesforce")

    def remove(self, object_: str, writes: Sequence[Write]) -> Sequence[Answer]:
        """Move records to the recycle bin."""
        del object_
        return unable(writes, "not yet", "delete it in Salesforce")

    def usage(self) -> Usage:
        """Return the vendor's last word on our budget."""
        return self._client.usage

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _organization(self) -> str:
        """Return the org's id from its own record; empty where the token may not read that."""
        try:
            rows = self._client.query("SELECT Id, Name FROM Organization LIMIT 1", deleted=False)
        except (PermissionMissing, Refusal):
            return ""
        return text_of(rows.records[0], "Id") or "" if rows.records else ""

    def _time(self) -> datetime | None:
        return self._client.told_at if self._client.heard else None

    def _learn(self, object_: str) -> Known:
        path = f"sobjects/{_named(object_)}/describe"
        try:
            described = self._client.get(path, Describe)
        except Mistake:
            raise Mistake(
                f"{self.source} has no object {object_}, or the token cannot see it",
                hint="check `objects` of this source in the config",
            ) from None
        known = know(self.source, described, object_)
        self._known[object_] = known
        return known


def _named(object_: str) -> str:
    if not _NAME.fullmatch(object_):
        raise Mistake(
            f"{object_!r} is no object name of Salesforce",
            hint="use the API name, such as Account or Invoice__c",
        )
    return object_
