"""Records and their property history in the world's database.

A record holds its current values as one JSON document. A value that was there when the record
came into being has no history row until it changes: it is an implicit entry at the record's
creation, by the record's origin.
"""

from collections.abc import Iterable, Mapping

from crmtrail.sandbox.hubspot.object_types import ObjectType, object_type
from crmtrail.sandbox.hubspot.records import Entry, Origin, Record, record_of, row_of
from crmtrail.sandbox.hubspot.switches import Switches
from crmtrail.sandbox.hubspot.values import DAY, millis
from crmtrail.sandbox.world import World

TABLES = """
CREATE TABLE IF NOT EXISTS hs_record(
  id INTEGER PRIMARY KEY, object TEXT NOT NULL, created INTEGER NOT NULL,
  modified INTEGER NOT NULL, archived INTEGER, handle TEXT, origin TEXT NOT NULL,
  doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS hs_record_modified ON hs_record(object, archived, modified);
CREATE INDEX IF NOT EXISTS hs_record_live ON hs_record(object, archived);
CREATE INDEX IF NOT EXISTS hs_record_bin ON hs_record(object) WHERE archived IS NOT NULL;
CREATE INDEX IF NOT EXISTS hs_record_bin_age ON hs_record(archived) WHERE archived IS NOT NULL;
CREATE INDEX IF NOT EXISTS hs_record_customer
  ON hs_record(json_extract(doc, '$."customer_number"')) WHERE object='contacts';
CREATE INDEX IF NOT EXISTS hs_record_handle ON hs_record(object, archived, handle);
CREATE TABLE IF NOT EXISTS hs_history(
  seq INTEGER PRIMARY KEY, object TEXT NOT NULL, id INTEGER NOT NULL, property TEXT NOT NULL,
  value TEXT NOT NULL, at INTEGER NOT NULL, origin TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS hs_history_record ON hs_history(object, id, property);
CREATE TABLE IF NOT EXISTS hs_stale(
  seq INTEGER PRIMARY KEY, object TEXT NOT NULL, id INTEGER NOT NULL, until INTEGER NOT NULL,
  modified INTEGER NOT NULL, handle TEXT, doc TEXT);
CREATE INDEX IF NOT EXISTS hs_stale_record ON hs_stale(object, id);
CREATE TABLE IF NOT EXISTS hs_alias(
  object TEXT NOT NULL, old INTEGER NOT NULL, survivor INTEGER NOT NULL, PRIMARY KEY(object, old));
CREATE TABLE IF NOT EXISTS hs_email(email TEXT PRIMARY KEY, id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS hs_due(
  object TEXT NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(object, id));
CREATE TABLE IF NOT EXISTS hs_blocked(email TEXT PRIMARY KEY)
"""

BIN_DAYS = 90
"""How long an archived record stays in the recycle bin."""

_BATCH = 900  # below SQLite's oldest limit on bound values


class Store:
    """The records of one portal."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches

    def create(self) -> None:
        """Create the tables."""
        for statement in TABLES.split(";"):
            self._world.db.execute(statement)

    def now(self) -> int:
        """Return the world's time in epoch milliseconds."""
        return millis(self._world.clock.now())

    def new_id(self) -> int:
        """Return an id that no record of any object has; ids grow, with gaps."""
        number = int(self._world.recall("hubspot/ids") or 0) + 1
        self._world.remember("hubspot/ids", str(number))
        return 27_000_000_000 + number * 7 + number % 5

    def purge_bin(self) -> None:
        """Drop what lay in the recycle bin for longer than `BIN_DAYS`."""
        horizon = self.now() - BIN_DAYS * DAY
        rows = self._world.db.execute(
            "SELECT object, id FROM hs_record WHERE archived IS NOT NULL AND archived < ?",
            (horizon,),
        ).fetchall()
        for object_, id_ in rows:
            self.erase(object_type(object_), id_)

    def survivor(self, kind: ObjectType, id_: int) -> int:
        """Return the record an id stands for now: itself, or what it was merged into."""
        while True:
            row = self._world.db.execute(
                "SELECT survivor FROM hs_alias WHERE object=? AND old=?", (kind.name, id_)
            ).fetchone()
            if row is None:
                return id_
            id_ = int(row[0])

    def get(self, kind: ObjectType, id_: int) -> Record | None:
        """Return a record by id or by the id of a record merged into it, archived or not."""
        found = self.many(kind, [id_])
        return found.get(id_)

    def many(self, kind: ObjectType, ids: Iterable[int]) -> dict[int, Record]:
        """Return records by the ids asked for; merged-away ids give the survivor."""
        asked = list(ids)
        found: dict[int, Record] = {}
        for start in range(0, len(asked), _BATCH):
            part = asked[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            for row in self._world.db.execute(
                f"SELECT * FROM hs_record WHERE object=? AND id IN ({marks})", (kind.name, *part)
            ):
                found[row["id"]] = record_of(kind, row)
        for id_ in asked:
            if id_ not in found and (survivor := self.survivor(kind, id_)) != id_:
                for record in self.many(kind, [survivor]).values():
                    found[id_] = record
        return found

    def by_handle(self, kind: ObjectType, handle: str) -> Record | None:
        """Return the active record with this handle."""
        row = self._world.db.execute(
            "SELECT * FROM hs_record WHERE object=? AND handle=? AND archived IS NULL",
            (kind.name, handle.lower()),
        ).fetchone()
        if row is None and kind.name == "contacts":
            return self._by_other_email(kind, handle.lower())
        return None if row is None else record_of(kind, row)

    def _by_other_email(self, kind: ObjectType, email: str) -> Record | None:
        """Return the active contact that got an e-mail by a merge."""
        row = self._world.db.execute("SELECT id FROM hs_email WHERE email=?", (email,)).fetchone()
        found = None if row is None else self.get(kind, int(row[0]))
        return None if found is None or found.archived is not None else found

    def note_emails(self, record: Record) -> None:
        """Let the additional e-mails of a merged contact lead to it."""
        emails = filter(None, record.values.get("hs_additional_emails", "").split(";"))
        self._world.db.executemany(
            "INSERT OR REPLACE INTO hs_email VALUES (?,?)",
            [(email.lower(), record.id) for email in emails],
        )

    def by_value(self, kind: ObjectType, name: str, value: str) -> Record | None:
        """Return the active record holding a value of a unique property."""
        if name == kind.handle:
            return self.by_handle(kind, value)
        row = self._world.db.execute(
            f"SELECT * FROM hs_record WHERE object='{kind.name}' AND archived IS NULL"
            f" AND json_extract(doc, '$.\"{name}\"')=?",
            (value,),
        ).fetchone()
        return None if row is None else record_of(kind, row)

    def page(self, kind: ObjectType, after: int, limit: int, *, archived: bool) -> list[Record]:
        """Return up to so many records with ids above ``after``, in id order."""
        index, state = ("hs_record_bin", "NOT NULL") if archived else ("hs_record_live", "NULL")
        rows = self._world.db.execute(
            f"SELECT * FROM hs_record INDEXED BY {index}"
            f" WHERE object=? AND archived IS {state} AND id > ? ORDER BY id LIMIT ?",
            (kind.name, after, limit),
        )
        return [record_of(kind, row) for row in rows]

    def bin_by_time(self, kind: ObjectType, skip: int, limit: int) -> list[Record]:
        """Return up to so many archived records, the latest archived first."""
        rows = self._world.db.execute(
            "SELECT * FROM hs_record WHERE object=? AND archived IS NOT NULL"
            " ORDER BY archived DESC, id DESC LIMIT ? OFFSET ?",
            (kind.name, limit, skip),
        )
        return [record_of(kind, row) for row in rows]

    def everything(self, kind: ObjectType, key: str | None) -> list[Record]:
        """Return all records of an object, archived ones included, or the one with an id."""
        if key is not None:
            found = self.get(kind, int(key)) if key.isdigit() else None
            return [] if found is None else [found]
        rows = self._world.db.execute(
            "SELECT * FROM hs_record WHERE object=? ORDER BY id", (kind.name,)
        )
        return [record_of(kind, row) for row in rows]

    def put(self, record: Record, at: int, *, fresh: bool = False) -> None:
        """Write a record as it is now; under an index lag, search keeps showing the old state."""
        if self._switches.index_lag:
            self._lag(record, at, fresh=fresh)
        self._world.db.execute(
            "INSERT OR REPLACE INTO hs_record VALUES (?,?,?,?,?,?,?,?)", row_of(record)
        )

    def _lag(self, record: Record, at: int, *, fresh: bool) -> None:
        share = self._world.random(f"lag/{record.id}/{at}").random()
        wait = self._switches.index_lag * (share if self._switches.index_jitter else 1.0)
        until = at + round(wait * 1000)
        if fresh:
            self._world.db.execute(
                "INSERT INTO hs_stale(object, id, until, modified) VALUES (?,?,?,0)",
                (record.kind.name, record.id, until),
            )
            return
        self._world.db.execute(
            "INSERT INTO hs_stale(object, id, until, modified, handle, doc)"
            " SELECT object, id, ?, modified, handle, CASE WHEN archived IS NULL THEN doc END"
            " FROM hs_record WHERE object=? AND id=?",
            (until, record.kind.name, record.id),
        )

    def erase(self, kind: ObjectType, id_: int) -> None:
        """Remove a record with its history and associations; its id resolves to nothing."""
        for table in ("hs_record", "hs_history", "hs_stale", "hs_due"):
            self._world.db.execute(f"DELETE FROM {table} WHERE object=? AND id=?", (kind.name, id_))
        self._world.db.execute(
            "DELETE FROM hs_link WHERE (object=? AND id=?) OR (to_object=? AND to_id=?)",
            (kind.name, id_, kind.name, id_),
        )

    def defer(self, kind: ObjectType, ids: Iterable[int], at: int) -> bool:
        """Put computed values off by the roll-up lag; False: there is none, compute now."""
        lag = round(self._switches.rollup_lag * 1000)
        if not lag:
            return False
        self._world.db.executemany(
            "INSERT OR IGNORE INTO hs_due VALUES (?,?,?)",
            [(kind.name, id_, at + lag) for id_ in ids],
        )
        return True

    def take_due(self) -> list[tuple[ObjectType, int, int]]:
        """Return the records whose computed values are due, and when they were; forget them."""
        now = self.now()
        rows = self._world.db.execute(
            "SELECT object, id, at FROM hs_due WHERE at <= ? ORDER BY at, id", (now,)
        ).fetchall()
        self._world.db.execute("DELETE FROM hs_due WHERE at <= ?", (now,))
        return [(object_type(object_), id_, at) for object_, id_, at in rows]

    @property
    def forgets_on_restore(self) -> bool:
        """Whether a record comes back from the recycle bin without its history."""
        return not self._switches.restore_keeps_history

    def drop_history(self, record: Record) -> None:
        """Remove the stored versions of a record, to write them anew."""
        self._world.db.execute(
            "DELETE FROM hs_history WHERE object=? AND id=?", (record.kind.name, record.id)
        )

    def block(self, email: str) -> None:
        """Note an e-mail that was deleted for privacy: no contact may be made with it."""
        self._world.db.execute("INSERT OR IGNORE INTO hs_blocked VALUES (?)", (email.lower(),))

    def is_blocked(self, email: str) -> bool:
        """Whether an e-mail is on the privacy blocklist."""
        row = self._world.db.execute("SELECT 1 FROM hs_blocked WHERE email=?", (email.lower(),))
        return row.fetchone() is not None

    def alias(self, kind: ObjectType, old: int, survivor: int) -> None:
        """Let an id stand for the record it was merged into."""
        self._world.db.execute(
            "INSERT OR REPLACE INTO hs_alias VALUES (?,?,?)", (kind.name, old, survivor)
        )

    def write_entries(self, record: Record, entries: Mapping[str, Iterable[Entry]]) -> None:
        """Append property versions, oldest first."""
        self._world.db.executemany(
            "INSERT INTO hs_history(object, id, property, value, at, origin) VALUES (?,?,?,?,?,?)",
            [
                (record.kind.name, record.id, name, each.value, each.at, each.origin.text())
                for name, versions in entries.items()
                for each in versions
            ],
        )

    def written(self, record: Record) -> set[str]:
        """Return the properties whose versions are all in the history table."""
        rows = self._world.db.execute(
            "SELECT DISTINCT property FROM hs_history WHERE object=? AND id=?",
            (record.kind.name, record.id),
        )
        return {name for (name,) in rows}

    def histories(
        self, kind: ObjectType, records: Iterable[Record]
    ) -> dict[int, dict[str, list[Entry]]]:
        """Return the stored versions of records by id and property, newest first, uncut."""
        ids = [record.id for record in records]
        found: dict[int, dict[str, list[Entry]]] = {id_: {} for id_ in ids}
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            for row in self._world.db.execute(
                "SELECT id, property, value, at, origin FROM hs_history"
                f" WHERE object=? AND id IN ({marks}) ORDER BY at DESC, seq DESC",
                (kind.name, *part),
            ):
                entry = Entry(row["value"], row["at"], Origin.read(row["origin"]))
                found[row["id"]].setdefault(row["property"], []).append(entry)
        return found
