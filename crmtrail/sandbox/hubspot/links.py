"""Associations between records, in both directions, each with its type."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from crmtrail.sandbox.hubspot.association_types import (
    DEFINED,
    LinkType,
    LinkTypes,
    in_order,
    known_types,
    plain_type,
    spelled,
)
from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.world import World

__all__ = ["DEFINED", "Links", "back_type", "default_types", "types_between"]

TABLES = """
CREATE TABLE IF NOT EXISTS hs_link(
  object TEXT NOT NULL, id INTEGER NOT NULL, to_object TEXT NOT NULL, to_id INTEGER NOT NULL,
  category TEXT NOT NULL, type INTEGER NOT NULL,
  PRIMARY KEY(object, id, to_object, to_id, category, type)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hs_link_back ON hs_link(to_object, to_id, object, id)
"""

_BATCH: Final = 900  # below SQLite's oldest limit on bound values
_INSERT: Final = "INSERT OR IGNORE INTO hs_link VALUES (?,?,?,?,?,?)"
_DELETE: Final = "DELETE FROM hs_link WHERE object=? AND id=? AND to_object=? AND to_id=?"

Ends = tuple[str, int, str, int]
"""From object, from id, to object, to id."""


def default_types(from_: str, to: str) -> tuple[int, int] | None:
    """Return the unlabelled type ids between two objects, there and back; None: no such pair."""
    found = plain_type(from_, to)
    return None if found is None else (found.id, found.back)


def types_between(from_: str, to: str) -> list[dict[str, Any]]:
    """Return the types that every portal has between two objects, as the labels endpoint does."""
    return [one.shown() for one in known_types(from_, to)]


def back_type(from_: str, to: str, type_: int) -> int | None:
    """Return the id of the opposite direction of a type that every portal has; None: no such."""
    return next((one.back for one in known_types(from_, to) if one.id == type_), None)


class Links:
    """The associations of one portal."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.types = LinkTypes(world)

    def create(self) -> None:
        """Create the tables."""
        for statement in TABLES.split(";"):
            self._world.db.execute(statement)
        self.types.create()

    def add(self, rows: Iterable[tuple[str, int, str, int, int]]) -> None:
        """Associate records: from object, from id, to object, to id, type id."""
        both: list[tuple[str, int, str, int, str, int]] = []
        for from_, from_id, to, to_id, type_ in rows:
            both += _both((from_, from_id, to, to_id), self._type(from_, to, type_, ""))
        self._world.db.executemany(_INSERT, both)

    def join(self, ends: Ends, type_: int, category: str = "") -> list[Ends]:
        """Associate two records, and return what is no longer primary for it.

        With a label the plain association comes along; a new primary one takes the place of the
        old, which stays as a plain one.

        Raises:
            ValueError: the type does not join the two.
        """
        from_, _, to, _ = ends
        found = self._type(from_, to, type_, category)
        rows = _both(ends, found)
        if (plain := plain_type(from_, to)) is not None and plain != found:
            rows += _both(ends, plain)
        demoted = self._demote(ends, found) if found.primary else []
        self._world.db.executemany(_INSERT, rows)
        return demoted

    def two(self, ends: Ends) -> list[LinkType]:
        """Return the types between two records, as the first sees them."""
        from_, _, to, _ = ends
        known = {(one.category, one.id): one for one in self.types.between(from_, to)}
        rows = self._world.db.execute(
            "SELECT category, type FROM hs_link WHERE object=? AND id=? AND to_object=? AND to_id=?"
            " ORDER BY category, type",
            ends,
        )
        return [known[category, id_] for category, id_ in rows]

    def _demote(self, ends: Ends, found: LinkType) -> list[Ends]:
        """Let another record be the primary one no longer; one side has only one such."""
        from_, from_id, to, to_id = ends
        holder = _ONE_PRIMARY.get((from_, to))
        one, id_, other = (from_, from_id, to) if holder == from_ else (to, to_id, from_)
        there = found if holder == from_ else LinkType(DEFINED, found.back, found.id)
        rows = self._world.db.execute(
            "SELECT to_id FROM hs_link WHERE object=? AND id=? AND to_object=? AND category=?"
            " AND type=?",
            (one, id_, other, DEFINED, there.id),
        ).fetchall()
        demoted = [(one, id_, other, int(old)) for (old,) in rows if old not in (from_id, to_id)]
        for each in demoted:
            self._drop(each, there)
        return demoted

    def _type(self, from_: str, to: str, type_: int, category: str) -> LinkType:
        found = self.types.find(from_, to, type_, category)
        if found is None:
            raise ValueError(f"association type {type_} does not join {from_} and {to}")
        return found

    def remove(self, from_: str, from_id: int, to: str, to_id: int) -> None:
        """Take away every association between two records; labels go with it."""
        for row in ((from_, from_id, to, to_id), (to, to_id, from_, from_id)):
            self._world.db.execute(_DELETE, row)

    def remove_type(
        self, from_: str, from_id: int, to: str, to_id: int, type_: int, category: str = ""
    ) -> None:
        """Take away one type of association, in both directions; with the plain one all go."""
        found = self._type(from_, to, type_, category)
        if found == plain_type(from_, to):
            self.remove(from_, from_id, to, to_id)
        else:
            self._drop((from_, from_id, to, to_id), found)

    def _drop(self, ends: Ends, found: LinkType) -> None:
        for row in _both(ends, found):
            self._world.db.execute(f"{_DELETE} AND category=? AND type=?", row)

    def typed(
        self, kind: ObjectType, ids: Sequence[int], to: ObjectType, *, archived: bool = False
    ) -> dict[int, dict[int, list[LinkType]]]:
        """Return the types by record id and associated id; archived records are left out."""
        known = {(one.category, one.id): one for one in self.types.between(kind.name, to.name)}
        live = "" if archived else " AND r.archived IS NULL"
        found: dict[int, dict[int, list[LinkType]]] = {}
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            rows = self._world.db.execute(
                "SELECT l.id, l.to_id, l.category, l.type FROM hs_link l"
                f" JOIN hs_record r ON r.object=l.to_object AND r.id=l.to_id{live}"
                f" WHERE l.object=? AND l.to_object=? AND l.id IN ({marks})"
                " ORDER BY l.id, l.to_id, l.category, l.type",
                (kind.name, to.name, *part),
            )
            for id_, to_id, category, type_ in rows:
                types = found.setdefault(id_, {}).setdefault(to_id, [])
                types.append(known[category, type_])
        return found

    def of(
        self, kind: ObjectType, ids: Sequence[int], to: ObjectType
    ) -> dict[int, dict[int, list[int]]]:
        """Return the type ids by record id and associated id; archived records are left out."""
        return {
            id_: {to_id: [one.id for one in types] for to_id, types in linked.items()}
            for id_, linked in self.typed(kind, ids, to).items()
        }

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


def pair_named(name: str) -> tuple[str, str] | None:
    """Return the two objects of a pair such as contacts-companies; None: it names no pair."""
    one, between, other = name.partition("-")
    return in_order(one, other) if between and plain_type(one, other) is not None else None


def truth(world: World, first: str, second: str) -> list[dict[str, Any]]:
    """Return the associations between live records as the first object sees them.

    Each is ``{id, deleted, properties}``: the id names both records, the properties are ``types``
    and ``labels`` as JSON lists.
    """
    links, kind = Links(world), object_type(first)
    rows = world.db.execute(
        "SELECT id FROM hs_record WHERE object=? AND archived IS NULL", (first,)
    )
    found = links.typed(kind, [row[0] for row in rows], object_type(second))
    return [
        {"id": f"{id_}-{to_id}", "deleted": False, "properties": spelled(types)}
        for id_, linked in found.items()
        for to_id, types in linked.items()
        if first != second or id_ < to_id
    ]


_ONE_PRIMARY: Final = {
    (one, other): holder
    for holder, of in (("contacts", "companies"), ("deals", "companies"), ("tickets", "companies"))
    for one, other in ((holder, of), (of, holder))
}
"""Which of two objects has one primary record of the other."""


def _both(ends: Ends, type_: LinkType) -> list[tuple[str, int, str, int, str, int]]:
    """Return an association as it is kept: seen from both sides."""
    from_, from_id, to, to_id = ends
    return [
        (from_, from_id, to, to_id, type_.category, type_.id),
        (to, to_id, from_, from_id, type_.category, type_.back),
    ]
