"""A HubSpot portal in memory that keeps to the facts and to nothing beyond them.

It stamps records by a clock of its own and writes stamps as it likes. Its search knows only the
filters that a poll needs.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from support.scripted_http import Asked, Scripted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Deal:
    id: str
    created: datetime
    changed: datetime
    name: str
    history: list[dict[str, Any]]
    archived: datetime | None = None


@dataclass
class OddPortal:
    """Deals by id. ``now`` stamps them, ``date`` is what answers say, ``spell`` writes stamps."""

    now: datetime
    date: datetime | None
    spell: Callable[[datetime], Any] = iso
    bare: bool = False
    page: int = 200
    answers: dict[str, Scripted] = field(default_factory=dict)
    deals: dict[str, Deal] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def save(self, id_: str, name: str) -> None:
        deal = self.deals.setdefault(id_, Deal(id_, self.now, self.now, name, []))
        entry = {"value": name, "timestamp": self.spell(self.now)}
        full = entry | {"sourceType": "CRM_UI", "updatedByUserId": 9}
        deal.history.insert(0, entry if self.bare else full)
        deal.name, deal.changed = name, self.now

    def archive(self, id_: str) -> None:
        self.deals[id_].archived = self.now

    def __call__(self, asked: Asked) -> Scripted:
        self.asked.append(asked.target)
        answer = next(
            (told for part, told in self.answers.items() if part in asked.target), None
        ) or self._answer(asked)
        date = format_datetime(self.date, usegmt=True) if self.date else ""
        return Scripted(answer.status, answer.content, answer.headers, date=date)

    def _answer(self, asked: Asked) -> Scripted:
        path, binned = urlsplit(asked.target).path, "archived=true" in asked.target
        shown = [deal for deal in self.deals.values() if bool(deal.archived) == binned]
        if "/properties/" in path:
            return Scripted(content={"results": [{"name": "dealname"}]})
        if path.endswith("/search"):
            return Scripted(content=self._found(json.loads(asked.body), shown))
        if path.endswith("/batch/read"):
            body = json.loads(asked.body)
            wanted = {one["id"] for one in body["inputs"]}
            with_history = bool(body.get("propertiesWithHistory"))
            things = [self._thing(one, with_history) for one in shown if one.id in wanted]
            return Scripted(content={"status": "COMPLETE", "results": things})
        if path.endswith("/objects/deals"):
            with_history = "propertiesWithHistory" in asked.target
            return Scripted(content={"results": [self._thing(one, with_history) for one in shown]})
        return Scripted(404, {})

    def _found(self, body: dict[str, Any], live: list[Deal]) -> dict[str, Any]:
        filters = [one for group in body["filterGroups"] for one in group["filters"]]
        low = max((int(one["value"]) for one in filters), default=0)
        high = min((int(one.get("highValue", 1 << 60)) for one in filters), default=1 << 60)
        hits = [one for one in live if low <= milliseconds(one.changed) <= high]
        hits.sort(key=lambda one: one.changed)
        limit = min(self.page, body.get("limit", 10))
        results = [
            {"id": one.id, "properties": {"hs_lastmodifieddate": iso(one.changed)}}
            for one in hits[:limit]
        ]
        onward = {"paging": {"next": {"after": limit}}} if len(hits) > limit else {}
        return {"total": len(hits) + 3, "results": results} | onward

    def _thing(self, deal: Deal, with_history: bool = False) -> dict[str, Any]:
        stamps = {"createdate": iso(deal.created), "hs_lastmodifieddate": iso(deal.changed)}
        thing: dict[str, Any] = {"id": int(deal.id), "properties": {"dealname": deal.name}}
        if self.bare:
            thing["properties"] |= stamps
        else:
            thing["createdAt"] = self.spell(deal.created)
            thing["updatedAt"] = self.spell(deal.changed)
        if deal.archived:
            thing |= {"archived": True} | ({} if self.bare else {"archivedAt": iso(deal.archived)})
        if with_history:
            thing["propertiesWithHistory"] = {"dealname": deal.history, "other": None}
        return thing
