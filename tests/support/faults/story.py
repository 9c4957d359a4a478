"""Two days in the life of a small CRM, as pages of readings, and what truly happened in it.

Everything follows from the names alone, so that a sync which was broken can be held against one
that was not, and both against the truth that is written down here beside the pages.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeAlias

from crmtrail.model import Actor, Field, Page, Reading, Removal, Schema, Token, token_of
from support.readings import ADA, BOB, ROBOT, at, event, page, reading, ref, removal

SOURCE = "crm"
OBJECTS = ("Contact", "Account")
DAYS = 2
PAGES_A_DAY = 3
FRESH = 14
"""Records that are new on each page of the first day."""

AGAIN = 3
"""Records of a page that the next one repeats, as polls with an overlap do."""

DAY_S = 86_400
_NAMES = ("Name", "Phone", "Fax", "Title", "Note")

Happening: TypeAlias = tuple[str, str, str | None, str | None]
"""Record, field, old token, new token; for a whole-record event the field is ``deleted``."""


@dataclass
class Truth:
    """What a store must hold after so many pages of one object: nothing less, nothing more."""

    happened: Counter[Happening] = field(default_factory=Counter)
    fields: dict[str, dict[str, Token]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    versions: Counter[str] = field(default_factory=Counter)

    def copy(self) -> "Truth":
        return Truth(
            Counter(self.happened),
            {id_: dict(held) for id_, held in self.fields.items()},
            set(self.deleted),
            Counter(self.versions),
        )


@dataclass(frozen=True)
class Story:
    """Pages in the order of their cursors, and the truth after each number of pages."""

    pages: Mapping[str, Page]
    order: Sequence[str]
    truths: Sequence[Truth]

    def kept(self, cursor: str | None) -> int:
        """Return how many pages a store has kept that stands at a cursor."""
        if cursor is None:
            return 0
        return self.order.index(cursor) if cursor in self.order else len(self.order)


def schema(object_: str) -> Schema:
    return Schema(SOURCE, object_, {name: Field(name) for name in _NAMES}, label=object_)


def all_pages() -> list[tuple[str, str]]:
    """Return object and cursor of every page, in the order in which a sync asks for them."""
    return [
        (object_, cursor)
        for day in range(1, DAYS + 1)
        for object_ in OBJECTS
        for cursor in story(object_).order
        if cursor.startswith(f"{day}.")
    ]


def cursor_of(day: int, no: int) -> str:
    """Return the cursor at which a page is asked for; days and pages count from 1."""
    return f"{day}.{no}"


@cache
def story(object_: str) -> Story:
    """Return the story of one object."""
    return _Telling(object_).told()


class _Telling:
    def __init__(self, object_: str) -> None:
        self._object = object_
        self._truth = Truth()
        self._ids = [f"{object_[:2]}{no:03}" for no in range(PAGES_A_DAY * FRESH)]
        self._page: list[Reading | Removal] = []
        self._moment = 0.0

    def told(self) -> Story:
        pages: dict[str, Page] = {}
        truths = [self._truth.copy()]
        acts = [self._load, self._load, self._load, self._edit, self._blank, self._bin]
        for no, act in enumerate(acts):
            day, step = no // PAGES_A_DAY + 1, no % PAGES_A_DAY + 1
            self._moment = day * DAY_S + step * 3600.0
            repeated = [one for one in self._page[-AGAIN:] if isinstance(one, Reading)]
            self._page = []
            act(step - 1)
            last = step == PAGES_A_DAY
            ends = at(self._moment + 60) if last else None
            pages[cursor_of(day, step)] = page(
                *repeated,
                *self._page,
                cursor=cursor_of(day + 1, 1) if last else cursor_of(day, step + 1),
                done=last,
                object_=self._object,
                watermark=ends,
                complete_to=ends,
            )
            truths.append(self._truth.copy())
        return Story(pages, tuple(pages), tuple(truths))

    # --- what people do ------------------------------------------------------------------------

    def _load(self, step: int) -> None:
        for no in range(step * FRESH, (step + 1) * FRESH):
            values = {
                "Name": f"{self._object} {no}",
                "Phone": f"+49 30 {no:04}",
                "Fax": f"+49 31 {no:04}",
                "Title": "",
                "Note": "é\U0001f600" * (no % 5) + "x" * (no * 37 % 900),
            }
            self._first_seen(self._ids[no], values)

    def _edit(self, step: int) -> None:
        del step
        for no in range(20):
            self._set(self._ids[no], {"Phone": f"+49 40 {no:04}"}, ADA if no % 2 else BOB)
        id_ = self._ids[20]
        for later, value in enumerate(("Dr", "Prof")):  # the vendor's own history tells of both
            self._note(id_, {"Title": token_of(value)})
            self._moment += later
        self._read(
            id_,
            ADA,
            trail=[
                event("Title", "Dr", self._moment - 1, BOB),
                event("Title", "Prof", self._moment, ADA),
            ],
        )

    def _blank(self, step: int) -> None:
        del step
        for no in range(5, 25):
            self._set(self._ids[no], {"Fax": None}, ROBOT)
        self._remove(self._ids[30])
        self._remove(self._ids[31])

    def _bin(self, step: int) -> None:
        del step
        id_ = self._ids[30]
        self._truth.deleted.discard(id_)
        self._count(id_, "deleted", "true", "false")
        self._read(id_, BOB)
        for no in range(2):
            new = f"{self._object[:2]}9{no:02}"
            self._first_seen(new, {"Name": f"Newcomer {no}", "Phone": "1", "Fax": ""}, born=True)
        for no in range(10, 16):
            self._set(self._ids[no], {"Fax": f"+49 32 {no:04}", "Phone": f"{no}"}, ADA)

    # --- how it is told ------------------------------------------------------------------------

    def _first_seen(self, id_: str, values: Mapping[str, str], *, born: bool = False) -> None:
        self._truth.fields[id_] = {name: token_of(value) for name, value in values.items()}
        self._truth.versions[id_] += 1
        self._read(id_, ADA, created=self._moment if born else None)

    def _set(self, id_: str, values: Mapping[str, str | None], actor: Actor) -> None:
        self._moment += 1
        self._note(id_, {name: token_of(value) for name, value in values.items()})
        self._read(id_, actor)

    def _note(self, id_: str, tokens: Mapping[str, Token]) -> None:
        held = self._truth.fields[id_]
        for name, token in tokens.items():
            self._truth.happened[id_, name, held[name], token] += 1
            held[name] = token
        self._truth.versions[id_] += 1

    def _remove(self, id_: str) -> None:
        self._moment += 1
        self._truth.deleted.add(id_)
        self._count(id_, "deleted", "false", "true")
        gone = removal(id_, read=self._moment + 10, when=self._moment, actor=BOB)
        self._page.append(replace(gone, ref=ref(id_, source=SOURCE, object_=self._object)))

    def _count(self, id_: str, what: str, old: str, new: str) -> None:
        self._truth.happened[id_, what, old, new] += 1
        self._truth.versions[id_] += 1

    def _read(self, id_: str, actor: Actor, **more: Any) -> None:
        self._moment += 1
        self._page.append(
            reading(
                id_,
                tokens=self._truth.fields[id_],
                modified=self._moment,
                actor=actor,
                object_=self._object,
                source=SOURCE,
                **more,
            )
        )
