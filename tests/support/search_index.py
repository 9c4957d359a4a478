"""HubSpot's search as far as the sync uses it, over ids and stamps in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LIMIT = 200
OFFSETS = 10_000


def as_number(id_: str) -> tuple[int, str]:
    return int(id_), ""


def as_text(id_: str) -> tuple[int, str]:
    return 0, id_


Order = Callable[[str], tuple[int, str]]


@dataclass
class SearchIndex:
    """Ids with stamps. ``sorts`` and ``compares`` say how ids are ordered and compared.

    ``short`` makes every page half as long as it could be, which HubSpot does at times.
    """

    stamps: dict[str, int]
    sorts: Order = as_number
    compares: Order = as_number
    short: bool = False
    searches: list[Mapping[str, Any]] = field(default_factory=list)

    def search(self, body: Mapping[str, Any]) -> tuple[list[tuple[str, int]], str | None, int]:
        """Return hits, the token of the next page and the total, or refuse as HubSpot does."""
        self.searches.append(body)
        offset = int(body.get("after", 0))
        assert body["limit"] <= LIMIT
        assert offset + body["limit"] <= OFFSETS, "HubSpot answers 400 beyond 10,000"
        (group,) = body["filterGroups"]
        found = [one for one in self.stamps.items() if self._matches(one, group["filters"])]
        (sort,) = body["sorts"]
        assert sort["direction"] == "ASCENDING"
        by_id = sort["propertyName"] == "hs_object_id"
        found.sort(key=lambda one: self.sorts(one[0]) if by_id else (one[1], ""))
        size = body["limit"] // 2 if self.short else body["limit"]
        page = found[offset : offset + size]
        end = offset + len(page)
        return page, (str(end) if end < len(found) else None), len(found)

    def _matches(self, one: tuple[str, int], filters: list[dict[str, str]]) -> bool:
        return all(self._passes(one, each) for each in filters)

    def _passes(self, one: tuple[str, int], each: Mapping[str, str]) -> bool:
        id_, stamp = one
        match each["operator"]:
            case "GTE":
                return stamp >= int(each["value"])
            case "BETWEEN":
                return int(each["value"]) <= stamp <= int(each["highValue"])
            case "GT":
                assert each["propertyName"] == "hs_object_id"
                return self.compares(id_) > self.compares(each["value"])
        raise AssertionError(f"no such operator here: {each}")
