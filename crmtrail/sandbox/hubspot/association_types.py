"""Which records can be associated with which, by which types; the portal's own labels.

A type has an id of its own for each direction. HubSpot's plain types carry no label. The ids are
those that HubSpot documents and public clients use. A pair without a primary type has none.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from crmtrail.sandbox.world import World

DEFINED: Final = "HUBSPOT_DEFINED"
CUSTOM: Final = "USER_DEFINED"
CATEGORIES: Final = (DEFINED, CUSTOM, "INTEGRATOR_DEFINED", "WORK")
PRIMARY_LABEL: Final = "Primary"

TABLES = """
CREATE TABLE IF NOT EXISTS hs_label(
  object TEXT NOT NULL, to_object TEXT NOT NULL, type INTEGER NOT NULL, back INTEGER NOT NULL,
  label TEXT, PRIMARY KEY(object, to_object, type)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hs_link_limit(
  object TEXT NOT NULL, to_object TEXT NOT NULL, most INTEGER NOT NULL,
  PRIMARY KEY(object, to_object)) WITHOUT ROWID
"""

_PLAIN: Final = """
contacts contacts 449 449
contacts companies 279 280
contacts deals 4 3
contacts tickets 15 16
contacts quotes 70 69
contacts leads 609 608
contacts calls 193 194
contacts emails 197 198
contacts meetings 199 200
contacts notes 201 202
contacts tasks 203 204
companies companies 450 450
companies deals 342 341
companies tickets 340 339
companies quotes 72 71
companies leads 611 610
companies calls 181 182
companies emails 185 186
companies meetings 187 188
companies notes 189 190
companies tasks 191 192
deals deals 451 451
deals tickets 27 28
deals line_items 19 20
deals quotes 63 64
deals leads 583 582
deals calls 205 206
deals emails 209 210
deals meetings 211 212
deals notes 213 214
deals tasks 215 216
tickets tickets 452 452
tickets calls 219 220
tickets emails 223 224
tickets meetings 225 226
tickets notes 227 228
tickets tasks 229 230
quotes line_items 67 68
quotes notes 853 854
leads calls 597 596
leads emails 599 598
leads meetings 601 600
leads notes 855 856
leads tasks 603 602
"""
_PRIMARY: Final = """
contacts companies 1 2
deals companies 5 6
tickets companies 26 25
"""
_OWN: Final = """
service_plans contacts 41 42
service_plans companies 43 44
service_plans deals 45 46
service_plans notes 47 48
"""
"""Plain types of the custom object: they belong to the portal, and have no label all the same."""


@dataclass(frozen=True, slots=True)
class LinkType:
    """One type of association, seen from one side; ``back`` is its id seen from the other."""

    category: str
    id: int
    back: int
    label: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return the type as the API shows it."""
        return {"category": self.category, "typeId": self.id, "label": self.label}

    @property
    def primary(self) -> bool:
        """Whether a record has only one other in this way."""
        return self.category == DEFINED and self.label == PRIMARY_LABEL


def _rows(table: str) -> Iterator[tuple[str, str, int, int]]:
    for line in filter(None, table.splitlines()):
        from_, to, forth, back = line.split()
        yield from_, to, int(forth), int(back)
        if from_ != to:
            yield to, from_, int(back), int(forth)


def _known() -> dict[tuple[str, str], tuple[LinkType, ...]]:
    found: dict[tuple[str, str], tuple[LinkType, ...]] = {}
    for table, category, label in (
        (_PRIMARY, DEFINED, PRIMARY_LABEL),
        (_PLAIN, DEFINED, None),
        (_OWN, CUSTOM, None),
    ):
        for from_, to, forth, back in _rows(table):
            of = LinkType(category, forth, back, label)
            found[from_, to] = (*found.get((from_, to), ()), of)
    return found


_KNOWN: Final = _known()


def known_types(from_: str, to: str) -> tuple[LinkType, ...]:
    """Return the types that every portal has, the primary one first; none: no such pair."""
    return _KNOWN.get((from_, to), ())


def plain_type(from_: str, to: str) -> LinkType | None:
    """Return the type without a label; None: the two cannot be associated."""
    return next((one for one in known_types(from_, to) if one.label is None), None)


class LinkTypes:
    """The types of one portal: HubSpot's, and the labels that its people made."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self) -> None:
        """Create the tables."""
        for statement in TABLES.split(";"):
            self._world.db.execute(statement)

    def between(self, from_: str, to: str) -> tuple[LinkType, ...]:
        """Return all types from one object to another, as the labels endpoint lists them."""
        rows = self._world.db.execute(
            "SELECT type, back, label FROM hs_label WHERE object=? AND to_object=? ORDER BY type",
            (from_, to),
        )
        own = (LinkType(CUSTOM, type_, back, label) for type_, back, label in rows)
        return (*known_types(from_, to), *own)

    def find(self, from_: str, to: str, type_: int, category: str = "") -> LinkType | None:
        """Return a type by its id; without a category the first that has it."""
        return next(
            (
                one
                for one in self.between(from_, to)
                if one.id == type_ and category in ("", one.category)
            ),
            None,
        )

    def define(self, from_: str, to: str, label: str, inverse: str | None) -> tuple[int, int]:
        """Make a label, or a pair of labels, and return its ids there and back.

        A label without an inverse is called the same from both sides.

        Raises:
            ValueError: there is one of this name, or the two objects cannot be associated.
        """
        if plain_type(from_, to) is None:
            raise ValueError(f"{from_} and {to} cannot be associated")
        if label in [one.label for one in self.between(from_, to)]:
            raise ValueError(f"the label {label!r} exists already")
        last = int(self._world.recall("hubspot/labels") or 27)
        forth, back = last + 1, last + 2
        self._world.remember("hubspot/labels", str(back))
        insert = "INSERT INTO hs_label VALUES (?,?,?,?,?)"
        self._world.db.execute(insert, (from_, to, forth, back, label))
        self._world.db.execute(insert, (to, from_, back, forth, inverse or label))
        return forth, back

    def rename(self, from_: str, to: str, type_: int, label: str) -> None:
        """Call a label by another name, from this side."""
        self._world.db.execute(
            "UPDATE hs_label SET label=? WHERE object=? AND to_object=? AND type=?",
            (label, from_, to, type_),
        )

    def drop(self, from_: str, to: str, type_: int) -> None:
        """Remove a label, and with it every association by it."""
        found = self.find(from_, to, type_, CUSTOM)
        if found is None:
            raise ValueError(f"no label {type_} from {from_} to {to}")
        for one, other, id_ in ((from_, to, found.id), (to, from_, found.back)):
            self._world.db.execute(
                "DELETE FROM hs_label WHERE object=? AND to_object=? AND type=?", (one, other, id_)
            )
            self._world.db.execute(
                "DELETE FROM hs_link WHERE object=? AND to_object=? AND category=? AND type=?",
                (one, other, CUSTOM, id_),
            )

    def limit(self, from_: str, to: str) -> int | None:
        """Return how many records of one object a record may have; None: as many as there are."""
        row = self._world.db.execute(
            "SELECT most FROM hs_link_limit WHERE object=? AND to_object=?", (from_, to)
        ).fetchone()
        return _ONE_PARENT.get((from_, to)) if row is None else int(row[0])

    def limits(self) -> list[tuple[str, str, int]]:
        """Return all limits as from object, to object and number."""
        rows = self._world.db.execute("SELECT * FROM hs_link_limit ORDER BY object, to_object")
        return [(str(row[0]), str(row[1]), int(row[2])) for row in rows]

    def set_limit(self, from_: str, to: str, most: int | None) -> None:
        """Limit how many records a record may have; None: no longer."""
        self._world.db.execute(
            "DELETE FROM hs_link_limit WHERE object=? AND to_object=?", (from_, to)
        )
        if most is not None:
            self._world.db.execute("INSERT INTO hs_link_limit VALUES (?,?,?)", (from_, to, most))


_ONE_PARENT: Final = {("line_items", "deals"): 1, ("line_items", "quotes"): 1}
"""A line item belongs to one deal, and to one quote of it."""

_ORDER: Final = (
    "contacts", "companies", "deals", "tickets", "line_items", "products", "quotes", "leads",
    "calls", "emails", "meetings", "notes", "tasks",
)  # fmt: skip


def in_order(one: str, other: str) -> tuple[str, str]:
    """Return two objects in the order in which the journal names their pair."""
    ranks = {name: rank for rank, name in enumerate(_ORDER)}
    first, second = sorted((one, other), key=lambda name: (ranks.get(name, len(ranks)), name))
    return first, second


def spelled(types: list[LinkType]) -> dict[str, str]:
    """Return types and labels as the journal of the truth tells them, sorted."""
    return {
        "types": json.dumps(sorted(f"{one.category}:{one.id}" for one in types)),
        "labels": json.dumps(sorted(one.label for one in types if one.label)),
    }
