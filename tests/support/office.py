"""People and apps who go about their work in a sandbox CRM."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from support.watched_sandbox import Watched


@dataclass(frozen=True)
class Desk:
    """What an office works on: one object, its fields that anyone may set, how to name a record."""

    object: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """The office of one vendor's customer."""

    desks: tuple[Desk, ...]
    people: tuple[Mapping[str, str], ...]
    newcomer: Mapping[str, str]
    restore: str

    @property
    def objects(self) -> tuple[str, ...]:
        return tuple(desk.object for desk in self.desks)


KINDS = {
    "salesforce": Kind(
        (
            Desk("Contact", ("Title", "Phone", "Department")),
            Desk("Account", ("Site", "Description")),
            Desk("Opportunity", ("NextStep", "Description")),
        ),
        (
            {"kind": "user", "name": "Priya Raman"},
            {"kind": "app", "name": "Marketing Sync"},
        ),
        {"LastName": "Newcomer"},
        "undelete",
    ),
    "hubspot": Kind(
        (
            Desk("contacts", ("jobtitle", "phone", "message")),
            Desk("companies", ("phone", "city")),
            Desk("deals", ("hs_next_step", "closed_lost_reason")),
        ),
        (
            {"kind": "user", "name": "Maya Lindqvist"},
            {"kind": "app", "name": "Ledgerline Sync"},
        ),
        {"lastname": "Newcomer"},
        "restore",
    ),
}


class Office:
    """Changes records. Each at most once between two calls of `rest`.

    So a poll after each `rest` can see every value that any field ever had.
    """

    def __init__(self, watched: Watched, rng: random.Random) -> None:
        self.kind = KINDS[watched.wire.crm]
        self._watched = watched
        self._rng = rng
        self._touched: set[str] = set()
        self._binned: list[str] = []
        self._spoken = 0

    def rest(self) -> None:
        """Let the next round begin."""
        self._touched.clear()

    def forget_the_bin(self) -> None:
        """Bring nothing back that was deleted up to now."""
        self._binned.clear()

    def work(self) -> None:
        """Edit many records of each object, create some, delete some, bring some back."""
        for desk in self.kind.desks:
            self.edit(desk, self._rng.choice((1, 3, 40, 230)))
        people = self.kind.desks[0]
        if self._rng.random() < 0.5:
            made = [{"fields": self._newcomer()} for _ in range(self._rng.randint(1, 4))]
            self._touched.update(self.act("create", people.object, made))
        if self._binned and self._rng.random() < 0.5:
            back = [self._binned.pop()]
            self._touched.update(back)
            self.act(self.kind.restore, people.object, _named(back))
        if self._rng.random() < 0.5:
            gone = self.pick(people, 3)
            self.act("delete", people.object, _named(gone))
            self._binned += gone

    def edit(self, desk: Desk, count: int) -> None:
        """Set one field of so many records to a new value, or clear it."""
        name = self._rng.choice(desk.fields)
        value = None if self._rng.random() < 0.3 else self._say()
        edited = [{"id": id_, "fields": {name: value}} for id_ in self.pick(desk, count)]
        if edited:
            self.act("update", desk.object, edited)

    def pick(self, desk: Desk, count: int) -> list[str]:
        """Return the ids of records that nobody touched yet."""
        ids = [id_ for id_ in self._live(desk.object) if id_ not in self._touched]
        picked = self._rng.sample(ids, min(count, len(ids)))
        self._touched.update(picked)
        return picked

    def act(
        self,
        verb: str,
        object_: str,
        records: Sequence[Mapping[str, Any]],
        by: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Let somebody do something, in one transaction; return the ids."""
        server = self._watched.server
        order = {
            "do": verb,
            "object": object_,
            "records": list(records),
            "as": by or self._rng.choice(self.kind.people),
        }
        with server.world.lock:
            server.world.db.execute("BEGIN")
            done = self._watched.wire.act(order)
            server.world.db.execute("COMMIT")
        return [str(id_) for id_ in done["ids"]]

    def _live(self, object_: str) -> list[str]:
        with self._watched.server.world.lock:
            found = self._watched.wire.truth(object_, None)
        return [str(each.get("Id") or each["id"]) for each in found if not each["deleted"]]

    def _say(self) -> str:
        self._spoken += 1
        return f"Note {self._spoken}"

    def _newcomer(self) -> dict[str, str]:
        named = f"{self._say().lower().replace(' ', '-')}@office.example"
        email = "email" if self._watched.wire.crm == "hubspot" else "Email"
        return {**self.kind.newcomer, email: named}


def _named(ids: Iterable[str]) -> list[dict[str, str]]:
    return [{"id": id_} for id_ in ids]
