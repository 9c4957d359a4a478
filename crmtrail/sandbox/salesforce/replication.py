"""The replication resources: /sobjects/X/updated and /sobjects/X/deleted."""

from datetime import datetime, timedelta

from crmtrail.sandbox.http import Reply
from crmtrail.sandbox.salesforce import moments
from crmtrail.sandbox.salesforce.calls import Call
from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
from crmtrail.sandbox.salesforce.tables import Tables, table

UPDATED_DAYS = 30
DELETED_DAYS = 15
_MOST = 600_000


class Replication:
    """Answers which records changed or went in a stretch of time."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def updated(self, call: Call, sobject: SObject) -> Reply:
        """Answer with the ids of live records whose SystemModstamp lies in the window."""
        start, end = self._window(call, sobject, UPDATED_DAYS)
        rows = self._tables.db.execute(
            f'SELECT "Id" FROM {table(sobject)} WHERE "SystemModstamp" >= ?'
            ' AND "SystemModstamp" < ? AND _deleted IS NULL ORDER BY "SystemModstamp", "Id"',
            (moments.stamp(start), moments.stamp(end)),
        )
        found = [row[0] for row in rows]
        self._not_too_many(len(found))
        return Reply.of(200, {"ids": found, "latestDateCovered": self._covered(end)})

    def deleted(self, call: Call, sobject: SObject) -> Reply:
        """Answer with the records deleted in the window, whether still in the bin or purged."""
        start, end = self._window(call, sobject, self._delete_days())
        earliest = self._earliest()
        if start < earliest:
            raise _bad_date(f"startDate before the earliest date available: {earliest}")
        window = (moments.stamp(start), moments.stamp(end))
        rows = self._tables.db.execute(
            f'SELECT "Id" AS id, _deleted AS at FROM {table(sobject)}'
            " WHERE _deleted >= ? AND _deleted < ?"
            " UNION ALL SELECT id, deleted FROM sf_tombstone"
            " WHERE object = ? AND deleted >= ? AND deleted < ? ORDER BY 2, 1",
            (*window, sobject.name, *window),
        )
        found = [{"id": row[0], "deletedDate": row[1]} for row in rows]
        self._not_too_many(len(found))
        return Reply.of(
            200,
            {
                "deletedRecords": found,
                "earliestDateAvailable": moments.stamp(earliest),
                "latestDateCovered": self._covered(end),
            },
        )

    def _window(self, call: Call, sobject: SObject, days: int) -> tuple[datetime, datetime]:
        call.must_be("GET")
        if not sobject.replicateable or not sobject.moves_stamp:
            raise Refusal("INVALID_TYPE", f"{sobject.name} is not replicateable")
        start, end = _minute(call, "start"), _minute(call, "end")
        if start >= end:
            raise _bad_date("startDate must be at least one minute before endDate")
        now = self._tables.world.clock.now()
        if start < now - timedelta(days=days, minutes=1):
            raise _bad_date(f"startDate cannot be more than {days} days ago")
        return start, end

    def _delete_days(self) -> int:
        """Return how far back deletions are told; some sources say 30 days, not 15."""
        return int(self._tables.setting("delete_days", str(DELETED_DAYS)))

    def _earliest(self) -> datetime:
        now = self._tables.world.clock.now().replace(second=0, microsecond=0)
        oldest = now - timedelta(days=self._delete_days(), minutes=1)
        told = self._tables.setting("log_since")
        return max(oldest, moments.parse(told)) if told else oldest

    def _covered(self, end: datetime) -> str:
        """Return up to when the answer is complete: the oldest running transaction's start."""
        now = self._tables.world.clock.now().replace(second=0, microsecond=0)
        (oldest,) = self._tables.db.execute("SELECT MIN(stamp) FROM sf_pending").fetchone()
        limits = [end, now]
        if oldest is not None:
            limits.append(moments.parse(oldest).replace(second=0))
        return moments.stamp(min(limits))

    def _not_too_many(self, count: int) -> None:
        most = int(self._tables.setting("most_ids", str(_MOST)))
        if count > most:
            raise Refusal("EXCEEDED_ID_LIMIT", f"too many ids: {count}, the limit is {most}")


def _minute(call: Call, name: str) -> datetime:
    text = call.moment(name)
    try:
        return moments.parse(text).replace(second=0)
    except ValueError:
        raise Refusal("INVALID_FIELD", f"invalid date: {name}={text}") from None


def _bad_date(message: str) -> Refusal:
    return Refusal("INVALID_REPLICATION_DATE", message)
