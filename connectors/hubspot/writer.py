"""Who carries out a write: by whether an object holds records, associations, consent or logs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from connectors.hubspot import consenting
from connectors.hubspot.admin_rules import AdminRules
from connectors.hubspot.associating import Associating
from connectors.hubspot.associations import Associations
from connectors.hubspot.client import Client
from connectors.hubspot.owning import Owners
from connectors.hubspot.posts import RECORDS
from connectors.hubspot.readings import BIN_KEEPS
from connectors.hubspot.recreating import Recreation
from connectors.hubspot.removing import remove
from connectors.hubspot.writing import Writing
from connectors.unable import UNSUPPORTED, unable
from crmtrail.errors import Mistake
from crmtrail.model import Answer, Field, Verdict, Write

_BIN: Final = "HubSpot restores archived records only in its own recycle bin"
_THERE: Final = "restore it there (the object's list, Actions, Restore records)"
_OR: Final = "or make it anew, under another id and without its history"

Writes = Sequence[Write]
Answers = Sequence[Answer]


class Writer:
    """Writes to one portal.

    Args:
        client: the API.
        fields: the properties of an object; none where the token may not read them.
        associations: the pairs of objects.
        is_log: whether an object is a trail that nobody writes.
    """

    def __init__(
        self,
        client: Client,
        fields: Callable[[str], Mapping[str, Field]],
        associations: Associations,
        is_log: Callable[[str], bool],
    ) -> None:
        self._client = client
        self._fields = fields
        self._associations = associations
        self._is_log = is_log
        self._owners = Owners(client)
        self._rules = AdminRules(client)
        self._made: dict[str, set[str]] = {}

    def write(self, object_: str, writes: Writes) -> Answers:
        """Set field values, the labels of associations, or subscription statuses."""
        _few(writes)
        if self._associations.owns(object_):
            return self._associating(object_).write(writes)
        if object_ == consenting.OBJECT:
            return consenting.set_statuses(self._client, writes)
        if self._is_log(object_):
            return _kept(object_, writes)
        fields = self._fields(object_) if writes else {}
        rules = self._rules.of(object_) if writes else {}
        return Writing(self._client, object_, fields, self._owners, rules).write(writes)

    def undelete(self, object_: str, writes: Writes) -> Answers:
        """Refuse, and say until when HubSpot's own recycle bin gives the records back."""
        _few(writes)
        if self._associations.owns(object_) or self._is_log(object_):
            return unable(writes, "HubSpot has no recycle bin for these", "make it anew")
        ids = list(dict.fromkeys(write.ref.id for write in writes))
        told = self._client.batch(object_, ids, archived=True).content.results if ids else ()
        until = {str(one.id): one.archived_at + BIN_KEEPS for one in told if one.archived_at}
        return [_to_the_bin(write, until.get(write.ref.id)) for write in writes]

    def recreate(self, object_: str, writes: Writes) -> Answers:
        """Make records anew, or associate records again."""
        _few(writes)
        if self._associations.owns(object_):
            return self._associating(object_).make(writes)
        if self._is_log(object_):
            return _kept(object_, writes)
        return self._recreation(object_).make(writes) if writes else []

    def recreated(self, object_: str, writes: Writes, since: datetime) -> Mapping[str, str | None]:
        """Look for records made anew by requests of which the answer was lost, by key.

        Absent: there is none, and one may be made. None: that cannot be told. See
        `Recreation.found`.
        """
        if self._associations.owns(object_):
            return self._associating(object_).found(writes)
        if self._is_log(object_) or not writes:
            return {}
        return self._recreation(object_).found(writes, since)

    def remove(self, object_: str, writes: Writes) -> Answers:
        """Move records to the recycle bin, or dissociate records."""
        _few(writes)
        if self._associations.owns(object_):
            return self._associating(object_).remove(writes)
        if self._is_log(object_):
            return _kept(object_, writes)
        return remove(self._client, object_, writes) if writes else []

    def _associating(self, object_: str) -> Associating:
        pair = self._associations.pair(object_)
        read = partial(self._associations.read, object_)
        return Associating(self._client, (pair.first, pair.second), read)

    def _recreation(self, object_: str) -> Recreation:
        made = self._made.setdefault(object_, set())
        return Recreation(self._client, object_, self._fields(object_), self._owners, made)


def _few(writes: Writes) -> None:
    if len(writes) > RECORDS:
        raise Mistake(f"at most {RECORDS} records can be written at once")


def _kept(object_: str, writes: Writes) -> Answers:
    message = f"{object_} is what HubSpot noted by itself: there is nothing to put back"
    return unable(writes, message, "look at it with `crmtrail log`")


def _to_the_bin(write: Write, until: datetime | None) -> Answer:
    when = f", until {until:%Y-%m-%d}" if until else ", within 90 days of its deletion"
    message, hint = f"{_BIN}{when}", f"{_THERE}{when}, {_OR}"
    return Answer(write.key, Verdict.REFUSED, UNSUPPORTED, message, hint)
