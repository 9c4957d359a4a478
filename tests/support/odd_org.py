"""A Salesforce org in memory that keeps to the facts and to nothing beyond them.

It stamps records by a clock of its own, pages as it likes, and leaves out whatever may be left
out. It understands only the queries of the replication recipe: by id, by stamp, by ids.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.scripted_http import Asked, Scripted

ADA = "005000000000001AAA"
NAMES = (
    "Id",
    "Name",
    "IsDeleted",
    "SystemModstamp",
    "LastModifiedDate",
    "LastModifiedById",
    "CreatedDate",
    "CreatedById",
)
_STAMP = re.compile(r"SystemModstamp (>=|>|=) (\S+?Z)")


def told(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


@dataclass
class OddOrg:
    """Records by id. ``now`` stamps them; ``date`` is what answers say; None leaves it out."""

    now: datetime
    date: datetime | None
    page: int = 2000
    names: tuple[str, ...] = NAMES
    describe: dict[str, Any] = field(default_factory=lambda: {"replicateable": True})
    answers: dict[str, Scripted] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    purged: dict[str, datetime] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def save(self, id_: str, **values: Any) -> None:
        stamps = {"SystemModstamp": told(self.now), "LastModifiedDate": told(self.now)}
        made = {"CreatedDate": told(self.now), "CreatedById": ADA, "IsDeleted": False}
        kept = self.records.get(id_, {"Id": id_} | made)
        self.records[id_] = kept | values | stamps | {"LastModifiedById": ADA}

    def purge(self, id_: str) -> None:
        del self.records[id_]
        self.purged[id_] = self.now

    def __call__(self, asked: Asked) -> Scripted:
        self.asked.append(asked.target)
        answer = next(
            (told for part, told in self.answers.items() if part in asked.target), None
        ) or self._answer(asked)
        date = format_datetime(self.date, usegmt=True) if self.date else ""
        return Scripted(answer.status, answer.content, answer.headers, date=date)

    def _answer(self, asked: Asked) -> Scripted:
        url = urlsplit(asked.target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.endswith("/describe"):
            fields = [{"name": name} for name in self.names]
            return Scripted(content={"fields": fields} | self.describe)
        if "/deleted" in url.path:
            return Scripted(content=self._deleted(query))
        if "/query" in url.path:
            return Scripted(content=self._query(query["q"], bin_too="/queryAll" in url.path))
        if url.path.endswith("composite/sobjects/Account") and asked.method == "POST":
            ids = json.loads(asked.body)["ids"]
            return Scripted(content=[self.records.get(id_) for id_ in ids])
        return Scripted(404, [{"errorCode": "NOT_FOUND", "message": "not here"}])

    def _deleted(self, window: Mapping[str, str]) -> dict[str, Any]:
        start, end = (datetime.fromisoformat(window[name]) for name in ("start", "end"))
        gone = [
            {"id": id_, "deletedDate": told(at)}
            for id_, at in self.purged.items()
            if start <= at <= end
        ]
        return {"deletedRecords": gone, "latestDateCovered": window["end"]}

    def _query(self, soql: str, *, bin_too: bool) -> dict[str, Any]:
        if "FROM User" in soql:
            return {"records": [{"Id": ADA, "Name": "Ada"}]}
        rows = [row for row in self.records.values() if bin_too or not row["IsDeleted"]]
        if "COUNT()" in soql:
            return {"totalSize": 1, "records": [{"expr0": len(rows)}]}
        if among := re.search(r"Id IN \((.*?)\)", soql):
            rows = [row for row in rows if row["Id"] in among[1]]
        if after := re.search(r"Id > '(\w+)'", soql):
            rows = [row for row in rows if self._is_after(row, soql, after[1])]
        elif since := _STAMP.search(soql):
            rows = [row for row in rows if _at(row) >= datetime.fromisoformat(since[2])]
        by_stamp = "ORDER BY SystemModstamp" in soql
        rows.sort(key=lambda row: (_at(row) if by_stamp else None, row["Id"]))
        more = len(rows) > self.page
        names = soql.removeprefix("SELECT ").partition(" FROM ")[0].split(",")
        shown = [{name: row.get(name) for name in names} for row in rows[: self.page]]
        onward = {"done": False, "nextRecordsUrl": "/services/data/v62.0/query/01g"}
        return {"records": shown} | (onward if more else {})

    @staticmethod
    def _is_after(row: dict[str, Any], soql: str, id_: str) -> bool:
        stamp = _STAMP.search(soql)
        if stamp is None:
            return bool(row["Id"] > id_)
        at = datetime.fromisoformat(stamp[2])
        return _at(row) > at or (_at(row) == at and row["Id"] > id_)


def _at(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["SystemModstamp"])


MINUTE = timedelta(minutes=1)
