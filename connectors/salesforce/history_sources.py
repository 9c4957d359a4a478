"""Which objects keep the history of an object, and how they are asked (fact sheet 11.1, 11.2)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from connectors.salesforce.client import vendor_time
from connectors.salesforce.discovery import Listing
from connectors.salesforce.schema import Describe

ARCHIVE = "FieldHistoryArchive"
_ACTIVITIES = frozenset({"task", "event"})
_PEOPLE = frozenset({"CreatedById", "LastModifiedById", "ChangedById"})

_FIELD = ("Id", "IsDeleted", "CreatedById", "CreatedDate", "Field", "DataType", "OldValue",
          "NewValue")  # fmt: skip
_STAGE = ("Id", "IsDeleted", "CreatedById", "CreatedDate", "StageName", "Amount", "CloseDate",
          "Probability", "ExpectedRevenue", "ForecastCategory")  # fmt: skip
_ACTIVITY = ("Id", "ChangedById", "ChangedDate", "FieldName", "Operation", "DataType",
             "OldValueText", "OldValueNumber", "OldValueDateTime", "NewValueText",
             "NewValueNumber", "NewValueDateTime", "IsDataAvailable")  # fmt: skip
_ARCHIVED = ("HistoryId", "CreatedById", "CreatedDate", "Field", "OldValue", "NewValue")


class Shape(Enum):
    """What the rows of a history object look like."""

    FIELD = "one row for each changed field"
    STAGE = "the whole state of an opportunity's figures after a change"
    ACTIVITY = "one row for each changed field of a task or event"
    ARCHIVE = "rows of field history moved to the archive"


_COLUMNS = {
    Shape.FIELD: (_FIELD, frozenset({"CreatedDate", "Field", "NewValue"})),
    Shape.STAGE: (_STAGE, frozenset({"CreatedDate"})),
    Shape.ACTIVITY: (_ACTIVITY, frozenset({"ChangedDate", "FieldName"})),
    Shape.ARCHIVE: (_ARCHIVED, frozenset({"CreatedDate", "Field", "NewValue"})),
}


@dataclass(frozen=True, slots=True)
class Source:
    """A history object: ``parent`` is the field that holds the record's id, ``at`` the stamp."""

    name: str
    shape: Shape
    parent: str
    at: str
    columns: tuple[str, ...]

    def among(
        self, ids: Iterable[str], since: datetime, after: tuple[datetime, str] | None = None
    ) -> str:
        """Return the query of some records' rows since a moment, or after the last one read."""
        listed = ",".join(f"'{id_}'" for id_ in ids)
        where = f"{self.parent} IN ({listed}) AND {self._later(since, after)}"
        return self._select(where, f"{self.at},Id")

    def between(
        self, first: str, last: str, since: datetime, after: tuple[str, str] | None = None
    ) -> str:
        """Return the query of the rows of all records from one id to another."""
        begin = f"{self.parent} >= '{first}'"
        if after:
            parent, id_ = after
            begin = f"({self.parent} > '{parent}' OR ({self.parent} = '{parent}' AND Id > '{id_}'))"
        where = f"{begin} AND {self.parent} <= '{last}' AND {self.at} >= {vendor_time(since)}"
        return self._select(where, f"{self.parent},Id")

    def archived(self, object_: str, ids: Sequence[str], window: tuple[datetime, datetime]) -> str:
        """Return the query of archived rows.

        A big object is filtered on its index in order, with equality on all but the last field.
        """
        where = f"FieldHistoryType = '{object_}' AND {self.parent} "
        if len(ids) > 1:
            where += "IN (" + ",".join(f"'{id_}'" for id_ in ids) + ")"
        else:
            since, until = map(vendor_time, window)
            where += f"= '{ids[0]}' AND {self.at} >= {since} AND {self.at} < {until}"
        return f"SELECT {','.join((*self.columns, self.parent))} FROM {self.name} WHERE {where}"  # noqa: S608 -- not SQL

    def _later(self, since: datetime, after: tuple[datetime, str] | None) -> str:
        if after is None:
            return f"{self.at} >= {vendor_time(since)}"
        at, id_ = vendor_time(after[0]), after[1]
        return f"({self.at} > {at} OR ({self.at} = {at} AND Id > '{id_}'))"

    def _select(self, where: str, order: str) -> str:
        chosen = ",".join((*self.columns, self.parent))
        return f"SELECT {chosen} FROM {self.name} WHERE {where} ORDER BY {order} LIMIT 2000"  # noqa: S608 -- not SQL


def candidates(object_: str, listing: Listing) -> list[tuple[str, Shape]]:
    """Return the history objects there may be for an object, by their names in the org's list."""
    listed = {entry.name.lower(): entry.name for entry in listing.sobjects if entry.queryable}
    name = object_.lower()
    wanted = [(f"{name.removesuffix('__c')}__history", Shape.FIELD)]
    if not name.endswith("__c"):
        wanted = [(f"{name}history", Shape.FIELD)]
    if name == "opportunity":
        wanted = [("opportunityfieldhistory", Shape.FIELD), ("opportunityhistory", Shape.STAGE)]
    if name in _ACTIVITIES:
        wanted = [("activityfieldhistory", Shape.ACTIVITY)]
    found = [(listed[one], shape) for one, shape in wanted if one in listed]
    if any(shape is Shape.FIELD for _, shape in found) and ARCHIVE.lower() in listed:
        found.append((listed[ARCHIVE.lower()], Shape.ARCHIVE))
    return found


def source(
    name: str, shape: Shape, object_: str, describe: Callable[[str], Describe]
) -> Source | None:
    """Return how a history object is asked; None where this identity does not see enough of it."""
    described = {field.name: field for field in describe(name).fields}
    wanted, needed = _COLUMNS[shape]
    if shape is Shape.STAGE:
        wanted += tuple(sorted(field for field in described if field.startswith("Prev")))
    parents = [
        field.name
        for field in described.values()
        if field.name not in _PEOPLE
        and object_.lower() in (one.lower() for one in field.reference_to or ())
    ]
    usual = (f"{object_}Id", "ParentId", "ActivityId")
    parent = next((one for one in (*parents, *usual) if one in described), None)
    if parent is None or not needed <= described.keys():
        return None
    columns = tuple(column for column in wanted if column in described and column != parent)
    at = "ChangedDate" if shape is Shape.ACTIVITY else "CreatedDate"
    return Source(name, shape, parent, at, columns)


def path(name: str) -> str:
    """Return where an object's describe is."""
    return f"sobjects/{name}/describe"
