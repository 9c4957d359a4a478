"""Associations between records, in both directions, each with its type."""

from collections.abc import Iterable, Sequence
from typing import Any

from crmtrail.sandbox.hubspot.object_types import ObjectType
from crmtrail.sandbox.world import World

TABLES = """
CREATE TABLE IF NOT EXISTS hs_link(
  object TEXT NOT NULL, id INTEGER NOT NULL, to_object TEXT NOT NULL, to_id INTEGER NOT NULL,
  category TEXT NOT NULL, type INTEGER NOT NULL,
  PRIMARY KEY(object, id, to_object, to_id, category, type)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hs_link_back ON hs_link(to_object, to_id, object, id)
"""

_PAIRS: dict[tuple[str, str], tuple[int, int]] = {
    ("contacts", "companies"): (279, 280),
    ("deals", "contacts"): (3, 4),
    ("deals", "companies"): (341, 342),
    ("tickets", "contacts"): (16, 15),
    ("deals", "line_items"): (19, 20),
    ("deals", "quotes"): (63, 64),
    ("quotes", "line_items"): (67, 68),
}
PRIMARY: dict[tuple[str, str], tuple[int, int]] = {
    ("contacts", "companies"): (1, 2),
    ("deals", "companies"): (5, 6),
}
"""Type ids of the primary association, there and back."""

_FORTH_AND_BACK = {
    **_PAIRS,
    **{(there, here): (back, forth) for (here, there), (forth, back) in _PAIRS.items()},
}
_PRIMARY_BOTH = {
    **PRIMARY,
    **{(there, here): (back, forth) for (here, there), (forth, back) in PRIMARY.items()},
}

DEFINED = "HUBSPOT_DEFINED"


def default_types(from_: str, to: str) -> tuple[int, int] | None:
    """Return the unlabelled type ids between two objects, there and back; None: no such pair."""
    return _FORTH_AND_BACK.get((from_, to))


def types_between(from_: str, to: str) -> list[dict[str, Any]]:
    """Return the association types between two objects, as the labels endpoint lists them."""
    found: list[dict[str, Any]] = []
    if primary := _PRIMARY_BOTH.get((from_, to)):
        found.append({"category": DEFINED, "typeId": primary[0], "label": "Primary"})
    if unlabelled := default_types(from_, to):
        found.append({"category": DEFINED, "typeId": unlabelled[0], "label": None})
    return found


def back_type(from_: str, to: str, type_: int) -> int | None:
    """Return the type id of the opposite direction, None when the type is unknown."""
    for pair in (_FORTH_AND_BACK.get((from_, to)), _PRIMARY_BOTH.get((from_, to))):
        if pair and pair[0] == type_:
            return pair[1]
    return None


class Links:
    """The associations of one portal."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self) -> None:
        """Create the tables."""
        for statement in TABLES.split(";"):
            self._world.db.execute(statement)

    def add(self, rows: Iterable[tuple[str, int, str, int, int]]) -> None:
        """Associate records: from object, from id, to object, to id, type id."""
        both: list[tuple[str, int, str, int, str, int]] = []
        for from_, from_id, to, to_id, type_ in rows:
            back = back_type(from_, to, type_)
            if back is None:
                raise ValueError(f"association type {type_} does not join {from_} and {to}")
            both.append((from_, from_id, to, to_id, DEFINED, type_))
            both.append((to, to_id, from_, from_id, DEFINED, back))
        self._world.db.executemany("INSERT OR IGNORE INTO hs_link VALUES (?,?,?,?,?,?)", both)

    def remove(self, from_: str, from_id: int, to: str, to_id: int) -> None:
        """Take away every association between two records; labels go with it."""
        for row in ((from_, from_id, to, to_id), (to, to_id, from_, from_id)):
            self._world.db.execute(
                "DELETE FROM hs_link WHERE object=? AND id=? AND to_object=? AND to_id=?", row
            )

    def remove_type(self, from_: str, from_id: int, to: str, to_id: int, type_: int) -> None:
        """Take away one type of association between two records, in both directions."""
        back = back_type(from_, to, type_)
        if back is None:
            raise ValueError(f"association type {type_} does not join {from_} and {to}")
        for row in ((from_, from_id, to, to_id, type_), (to, to_id, from_, from_id, back)):
            self._world.db.execute(
                "DELETE FROM hs_link WHERE object=? AND id=? AND to_object=? AND to_id=?"
                " AND type=?",
                row,
            )

    def of(
        self, kind: ObjectType, ids: Sequence[int], to: ObjectType
    ) -> dict[int, dict[int, list[int]]]:
        """Return the type ids by record id and associated id; archived records are left out."""
        marks = ",".join("?" * len(ids))
        rows = self._world.db.execute(
            "SELECT l.id, l.to_id, l.type FROM hs_link l"
            " JOIN hs_record r ON r.object=l.to_object AND r.id=l.to_id AND r.archived IS NULL"
            f" WHERE l.object=? AND l.to_object=? AND l.id IN ({marks})"
            " ORDER BY l.id, l.to_id, l.type",
            (kind.name, to.name, *ids),
        )
        found: dict[int, dict[int, list[int]]] = {}
        for id_, to_id, type_ in rows:
            found.setdefault(id_, {}).setdefault(to_id, []).append(type_)
        return found

    def ids(self, kind: ObjectType, id_: int, to: ObjectType) -> list[int]:
        """Return the ids of live records of one object associated with a record."""
        return list(self.of(kind, [id_], to).get(id_, {}))

    def move(self, kind: ObjectType, old: int, new: int) -> None:
        """Give every association of one record to another."""
        name = kind.name
        for column, object_ in (("id", "object"), ("to_id", "to_object")):
            self._world.db.execute(
                f"UPDATE OR IGNORE hs_link SET {column}=? WHERE {object_}=? AND {column}=?",
                (new, name, old),
            )
            self._world.db.execute(
                f"DELETE FROM hs_link WHERE {object_}=? AND {column}=?", (name, old)
            )
