"""The parts of HubSpot's JSON that are read here; everything else in it is ignored."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeAlias

import msgspec

from crmtrail.model import utc

Number: TypeAlias = str | int
"""Ids come as text or, in some answers, as numbers."""

RecordId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[!-~]+\Z")] | int
"""The id of a record: digits, so nothing that a database could not hold."""

Instant: TypeAlias = str | int | float | None
"""A stamp: ISO 8601 text, or milliseconds since 1970 as a number or as text."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(at: datetime) -> int:
    """Return a moment as HubSpot counts it: whole milliseconds since 1970."""
    return (at - _EPOCH) // _MILLISECOND


def moment_of(count: int) -> datetime:
    """Return the moment of so many milliseconds since 1970."""
    return _EPOCH + count * _MILLISECOND


def when(told: Instant) -> datetime | None:
    """Return the moment of a stamp; None where there is none, or nothing that could be one.

    HubSpot's stamps are UTC: one without a zone is read so.
    """
    if not told:
        return None
    try:
        if not isinstance(told, str) or told.isdecimal():
            return moment_of(int(told))
        at = datetime.fromisoformat(told)
    except (ValueError, OverflowError):
        return None
    return utc(at) if at.tzinfo else at.replace(tzinfo=UTC)


class _Shape(msgspec.Struct, rename="camel", frozen=True):
    pass


class Entry(_Shape, frozen=True):
    """One entry of a property's history, newest first in its list."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    timestamp: Instant = None
    source_type: str | None = None
    source_id: Number | None = None
    source_label: str | None = None
    updated_by_user_id: Number | None = None


class Thing(_Shape, frozen=True):
    """One CRM record. ``properties`` keeps each value as its JSON text; stamps are as told."""

    id: RecordId
    properties: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)
    properties_with_history: dict[str, list[Entry] | None] | None = None
    created: Instant = msgspec.field(default=None, name="createdAt")
    updated: Instant = msgspec.field(default=None, name="updatedAt")
    archived: bool | None = None
    gone: Instant = msgspec.field(default=None, name="archivedAt")

    @property
    def created_at(self) -> datetime | None:
        """When it was created; its own property says so too."""
        return when(self.created) or self._by("createdate", "hs_createdate")

    @property
    def updated_at(self) -> datetime | None:
        """When it was changed last; its own property says so too."""
        return when(self.updated) or self._by("hs_lastmodifieddate", "lastmodifieddate")

    @property
    def archived_at(self) -> datetime | None:
        """When it was put into the recycle bin, where told."""
        return when(self.gone)

    def _by(self, *names: str) -> datetime | None:
        told = (self.properties[name] for name in names if name in self.properties)
        return next((at for raw in told if (at := stamp_of(raw))), None)


class Next(_Shape, frozen=True):
    """Where to go on."""

    after: Number | None = None


class Paging(_Shape, frozen=True):
    """Absent ``next`` means that this was the last page, however short the others were."""

    next: Next | None = None


class Listing(_Shape, frozen=True):
    """A page of records."""

    results: list[Thing]
    paging: Paging | None = None

    @property
    def after(self) -> str | None:
        """The token of the next page, if there is one."""
        return after_of(self.paging)


class Hits(_Shape, frozen=True):
    """A page of search results."""

    results: list[Thing]
    total: int = 0
    paging: Paging | None = None

    @property
    def after(self) -> str | None:
        """The token of the next page, if there is one."""
        return after_of(self.paging)


class BatchError(_Shape, frozen=True):
    """What HubSpot says of the members of a batch that failed."""

    category: str | None = None
    sub_category: object = None
    message: str | None = None
    context: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None

    def named(self, key: str) -> tuple[str, ...]:
        """Return the ids or trace ids of its context."""
        named = (self.context or {}).get(key) or ()
        return (str(named),) if isinstance(named, str | int) else tuple(str(one) for one in named)


class Batch(_Shape, frozen=True):
    """The answer to a batch request; what is in neither list is not told."""

    results: list[Thing] = msgspec.field(default_factory=list)
    errors: list[BatchError] | None = None


class Option(_Shape, frozen=True):
    """One allowed value of an enumeration."""

    value: Number | None = None


class Modification(_Shape, frozen=True):
    """What may be changed of a property."""

    read_only_value: bool | None = None


class Property(_Shape, frozen=True):
    """The metadata of one property."""

    name: str
    label: str | None = None
    type: str | None = None
    field_type: str | None = None
    options: list[Option] | None = None
    calculated: bool | None = None
    external_options: bool | None = None
    has_unique_value: bool | None = None
    archived: bool | None = None
    referenced_object_type: str | None = None
    show_currency_symbol: bool | None = None
    number_display_hint: str | None = None
    modification_metadata: Modification | None = None
    data_sensitivity: str | None = None


class Properties(_Shape, frozen=True):
    """All properties of an object."""

    results: list[Property]


class Owner(_Shape, frozen=True):
    """An owner; ``user_id`` is what histories name, ``id`` what properties do."""

    id: Number | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    user_id: Number | None = None
    user_id_including_inactive: Number | None = None


class Owners(_Shape, frozen=True):
    """A page of owners."""

    results: list[Owner]
    paging: Paging | None = None


class User(_Shape, frozen=True):
    """A user of the account."""

    id: Number
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class Users(_Shape, frozen=True):
    """A page of users."""

    results: list[User]
    paging: Paging | None = None


class Import(_Shape, frozen=True):
    """One import run."""

    id: Number
    import_name: str | None = None


class Imports(_Shape, frozen=True):
    """A page of imports."""

    results: list[Import]
    paging: Paging | None = None


class CustomSchema(_Shape, frozen=True):
    """A custom object."""

    object_type_id: str | None = None
    fully_qualified_name: str | None = None
    name: str | None = None


class CustomSchemas(_Shape, frozen=True):
    """All custom objects."""

    results: list[CustomSchema]


Row: TypeAlias = dict[str, msgspec.Raw]
"""One thing of a list that is no record, each value as its JSON text."""


class Rows(_Shape, frozen=True):
    """A page of such things."""

    results: list[Row]
    paging: Paging | None = None

    @property
    def after(self) -> str | None:
        """The token of the next page, if there is one."""
        return after_of(self.paging)


class Account(_Shape, frozen=True):
    """The account behind the token, as far as it is told."""

    portal_id: Number | None = None
    account_type: str | None = None
    time_zone: str | None = None


class TokenFacts(_Shape, frozen=True):
    """What the token says of itself, where told."""

    app_id: Number | None = None
    user_id: Number | None = None
    hub_id: Number | None = None


def after_of(paging: Paging | None) -> str | None:
    """Return the token of the next page, if there is one."""
    after = paging.next.after if paging and paging.next else None
    return None if after is None or after == "" else str(after)


def stamp_of(raw: msgspec.Raw) -> datetime | None:
    """Return the moment of a property that holds a stamp."""
    told = msgspec.json.decode(raw)
    return when(told) if isinstance(told, str | int | float) else None
