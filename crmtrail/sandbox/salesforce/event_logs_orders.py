"""Control orders about events: files of the event log, rows of real-time monitoring."""

import base64
import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from crmtrail.sandbox.salesforce import ids, moments
from crmtrail.sandbox.salesforce.access_trail import AccessTrail
from crmtrail.sandbox.salesforce.event_logs import COLUMNS, COMMON, LAST
from crmtrail.sandbox.salesforce.orders import AUTOMATION, Order, Orders
from crmtrail.sandbox.salesforce.records import SYSTEM, By, Records
from crmtrail.sandbox.salesforce.sessions import ORG
from crmtrail.sandbox.world import Actor

SHORT = 15
Row = dict[str, Any]
_INTERVALS = ("Hourly", "Daily")


class EventOrders:
    """Lets the org log what people did."""

    def __init__(self, records: Records, orders: Orders, trail: AccessTrail) -> None:
        self._records = records
        self._tables = records.tables
        self._orders = orders
        self._trail = trail
        self.verbs = {"log_event": self._log, "log_day": self._day, "event": self._event}

    def _log(self, order: Order) -> list[str]:
        """Write a file: ``{"type", "rows": [{"user", "record", ...}], "interval", "at"}``."""
        kind, interval = str(order["type"]), str(order.get("interval", "Hourly"))
        if kind not in COLUMNS:
            raise ValueError(f"unknown event type {kind!r}; known are {', '.join(COLUMNS)}")
        if interval not in _INTERVALS:
            raise ValueError(f"unknown interval {interval!r}; known are {', '.join(_INTERVALS)}")
        now = self._tables.world.clock.now()
        at = datetime.fromisoformat(str(order["at"])) if "at" in order else now
        rows = [self._row(kind, told, at) for told in order["rows"]]
        system = By(SYSTEM, self._orders.user(AUTOMATION)["Id"])
        with self._records.unit(now):
            return [self.write(kind, interval, rows, at, system, now)]

    def _day(self, order: Order) -> list[str]:
        """Write the daily file of a type: ``{"type", "at", "rows"}``.

        It holds what the hourly files of that day tell, and ``rows`` that they missed.
        """
        kind, now = str(order["type"]), self._tables.world.clock.now()
        at = datetime.fromisoformat(str(order["at"])) if "at" in order else now
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        contents = self._tables.db.execute(
            'SELECT "LogFile" FROM "sf_EventLogFile" WHERE "EventType" = ? AND "Interval" = ?'
            ' AND "LogDate" >= ? AND "LogDate" < ? ORDER BY "LogDate", "Sequence"',
            (kind, "Hourly", moments.stamp(day), moments.stamp(day + timedelta(days=1))),
        )
        rows = [line for content in contents for line in _lines(content[0])]
        rows += [self._row(kind, told, at) for told in order.get("rows", [])]
        system = By(SYSTEM, self._orders.user(AUTOMATION)["Id"])
        with self._records.unit(now):
            return [self.write(kind, "Daily", rows, day, system, now)]

    def write(
        self, kind: str, interval: str, rows: Sequence[Row], at: datetime, by: By, now: datetime
    ) -> str:
        """Write a file of one event type for the hour or day of a moment and return its id."""
        start = at.replace(minute=0, second=0, microsecond=0)
        if interval == "Daily":
            start = start.replace(hour=0)
        names = names_of(kind, rows)
        content = csv_of(names, rows)
        sobject = self._tables.schema.objects["EventLogFile"]
        values = {
            "EventType": kind,
            "LogDate": moments.stamp(start),
            "LogFileLength": float(len(content)),
            "LogFileContentType": "text/csv",
            "ApiVersion": 67.0,
            "Sequence": self._sequence(kind, interval, moments.stamp(start)),
            "Interval": interval,
            "LogFileFieldNames": ",".join(names),
            "LogFileFieldTypes": ",".join(_type(name) for name in names),
            "LogFile": base64.b64encode(content).decode(),
        }
        return self._records.create(sobject, [values], by, now)[0]

    def _sequence(self, kind: str, interval: str, start: str) -> int:
        """Return the next number: late events come in a further file of the same hour."""
        (last,) = self._tables.db.execute(
            'SELECT MAX("Sequence") FROM "sf_EventLogFile" WHERE "EventType" = ?'
            ' AND "Interval" = ? AND "LogDate" = ?',
            (kind, interval, start),
        ).fetchone()
        first = 0 if interval == "Daily" else 1
        return first if last is None else int(last) + 1

    def _row(self, kind: str, told: Order, at: datetime) -> Row:
        """Return one line: ``user``, ``record`` and ``at`` are spelled out, the rest is as told."""
        user = self._orders.user(told["user"])["Id"] if "user" in told else ""
        when = datetime.fromisoformat(str(told["at"])) if "at" in told else at
        row = event_row(kind, user, when, str(self._tables.take("event_request")[0]))
        record = str(told.get("record") or "")
        if record:
            row |= {"URI": f"/{record[:SHORT]}", "URI_ID_DERIVED": ids.normal(record) or record}
            if kind == "LightningPageView":
                row["PAGE_ENTITY_ID"] = record[:SHORT]
        more = {key: value for key, value in told.items() if key not in ("user", "record", "at")}
        return row | more

    def _event(self, order: Order) -> list[str]:
        """Write an event: ``{"object": "ReportEvent", "user", "fields", "at"}``."""
        sobject = self._orders.object_of(order)
        if not sobject.big:
            raise ValueError(f"{sobject.name} is no event object")
        fields = dict(order.get("fields", {}))
        strange = [name for name in fields if name.lower() not in sobject.by_name]
        if strange:
            raise ValueError(f"{sobject.name} has no field {strange[0]!r}")
        user = self._orders.user(order["user"])
        now = self._tables.world.clock.now()
        at = datetime.fromisoformat(str(order["at"])) if "at" in order else now
        by = By(Actor("user", user["Id"], user["Name"]), user["Id"])
        with self._records.unit(now):
            return [self._trail.event(sobject.name, fields, by, at)]


def names_of(kind: str, rows: Sequence[Row]) -> list[str]:
    """Return the columns of a log file: those of its type, then what else its rows bring."""
    known = f"{COMMON} {LAST} {COLUMNS[kind]}".split()
    return list(dict.fromkeys([*known, *(name for row in rows for name in row)]))


def event_row(kind: str, user: str, at: datetime, number: str) -> Row:
    """Return the columns every event has."""
    stamp = moments.stamp_millis(at)
    return {
        "EVENT_TYPE": kind,
        "TIMESTAMP": stamp[:23].replace("-", "").replace(":", "").replace("T", ""),
        "REQUEST_ID": f"4ehU_U-nbQ{number:0>12}",
        "ORGANIZATION_ID": ORG[:SHORT],
        "USER_ID": user[:SHORT],
        "RUN_TIME": "83",
        "CPU_TIME": "30",
        "SESSION_KEY": f"s{user[:SHORT]}",
        "LOGIN_KEY": f"l{user[:SHORT]}",
        "USER_TYPE": "Standard",
        "TIMESTAMP_DERIVED": stamp[:23] + "Z",
        "USER_ID_DERIVED": user,
        "CLIENT_IP": "203.0.113.10",
    }


def csv_of(names: Sequence[str], rows: Sequence[Row]) -> bytes:
    """Return the content of a log file: every column quoted."""
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _lines(content: str) -> list[Row]:
    """Return the rows of a log file as it is stored."""
    text = base64.b64decode(content).decode()
    return [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""))]


def _type(name: str) -> str:
    if name.startswith("TIMESTAMP"):
        return "DateTime"
    if name in ("RUN_TIME", "CPU_TIME", "DB_TOTAL_TIME", "ROW_COUNT", "ROWS_PROCESSED"):
        return "Number"
    return "Id" if name.endswith(("_ID", "_ID_DERIVED")) else "String"
