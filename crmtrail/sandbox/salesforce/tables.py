"""The org's tables: one per object, with real columns, so that SOQL becomes SQL."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crmtrail.sandbox.salesforce import ids
from crmtrail.sandbox.salesforce.fields import NUMERIC, Field
from crmtrail.sandbox.salesforce.schema import Schema, SObject
from crmtrail.sandbox.world import World

_CHUNK = 500
_STATE = """
CREATE TABLE sf_counter(name TEXT PRIMARY KEY, used INTEGER NOT NULL);
CREATE TABLE sf_session(token TEXT PRIMARY KEY, user TEXT NOT NULL);
CREATE TABLE sf_quota(hour INTEGER PRIMARY KEY, used INTEGER NOT NULL);
CREATE TABLE sf_hidden(user TEXT NOT NULL, object TEXT NOT NULL, field TEXT NOT NULL,
  access TEXT NOT NULL, PRIMARY KEY(user, object, field));
CREATE TABLE sf_tombstone(object TEXT NOT NULL, id TEXT PRIMARY KEY, deleted TEXT NOT NULL);
CREATE TABLE sf_cleared(parent TEXT NOT NULL, object TEXT NOT NULL, id TEXT NOT NULL,
  field TEXT NOT NULL);
CREATE TABLE sf_pending(seq INTEGER PRIMARY KEY, visible REAL NOT NULL, stamp TEXT NOT NULL,
  work TEXT NOT NULL);
CREATE TABLE sf_rule(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, object TEXT NOT NULL,
  what TEXT NOT NULL);
CREATE TABLE sf_job(id TEXT PRIMARY KEY, kind TEXT NOT NULL, user TEXT NOT NULL,
  created REAL NOT NULL, state TEXT NOT NULL, told TEXT NOT NULL, own TEXT NOT NULL);
CREATE TABLE sf_job_line(seq INTEGER PRIMARY KEY, job TEXT NOT NULL, part TEXT NOT NULL,
  line TEXT NOT NULL);
CREATE INDEX sf_job_part ON sf_job_line(job, part, seq);
CREATE TABLE sf_setting(key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def table(sobject: SObject) -> str:
    """Return the quoted name of an object's table."""
    return f'"sf_{sobject.name}"'


def marks(count: int) -> str:
    """Return so many placeholders."""
    return ",".join("?" * count)


def _column(sobject: SObject, field: Field) -> str:
    if field.type == "id":
        return f'"{field.name}" TEXT NOT NULL{"" if sobject.big else " UNIQUE"}'
    if field.type in ("boolean", "int"):
        kind = "INTEGER"
    elif field.type in NUMERIC:
        kind = "REAL"
    else:
        # Text compares without regard to case in SOQL; ids compare exactly.
        kind = "TEXT" if field.refers else "TEXT COLLATE NOCASE"
    computed = f" GENERATED ALWAYS AS ({field.formula}) VIRTUAL" if field.formula else ""
    return f'"{field.name}" {kind}{computed}'


def _indexes(sobject: SObject) -> Iterable[str]:
    name = table(sobject)
    made = "CREATE INDEX" + f' "ix_{sobject.name}_'
    if sobject.clock:
        yield f'{made}stamp" ON {name}("{sobject.clock}", "Id")'
    if not sobject.replicateable and not sobject.bin:
        # Setup records and logs are few: reading all of them is quicker than many indexes.
        return
    yield f'{made}deleted" ON {name}(_deleted) WHERE _deleted IS NOT NULL'
    for field in sobject.stored:
        if field.refers and field.name not in ("CreatedById", "LastModifiedById"):
            yield f'{made}{field.name}" ON {name}("{field.name}") WHERE "{field.name}" NOT NULL'
        elif field.unique:
            yield (
                f'CREATE UNIQUE INDEX "ix_{sobject.name}_{field.name}" ON {name}("{field.name}")'
                f' WHERE "{field.name}" NOT NULL'
            )


class Tables:
    """The rows of every object. Rows are dicts from column name to stored value."""

    def __init__(self, world: World, schema: Schema) -> None:
        self.world = world
        self.schema = schema
        self.db = world.db

    def create(self) -> None:
        """Create every table in an empty world."""
        # Not executescript: that would commit the transaction under way.
        for statement in _STATE.split(";\n"):
            if statement.strip():
                self.db.execute(statement)
        for sobject in self.schema.objects.values():
            if sobject.view:
                self.db.execute(f"CREATE VIEW IF NOT EXISTS {table(sobject)} AS {sobject.view}")
                continue
            columns = ", ".join(_column(sobject, field) for field in sobject.columns)
            self.db.execute(
                f"CREATE TABLE {table(sobject)}(_row INTEGER PRIMARY KEY, _deleted TEXT,"
                f" _root TEXT, _locked INTEGER NOT NULL DEFAULT 0, {columns})"
            )
            for statement in _indexes(sobject):
                self.db.execute(statement)

    def take(self, name: str, count: int = 1) -> range:
        """Take the next so many numbers of a counter, starting at 1."""
        (used,) = self.db.execute(
            "INSERT INTO sf_counter VALUES (?, ?) ON CONFLICT(name)"
            " DO UPDATE SET used = used + excluded.used RETURNING used",
            (name, count),
        ).fetchone()
        return range(used - count + 1, used + 1)

    def new_ids(self, sobject: SObject, count: int = 1) -> list[str]:
        """Return so many fresh ids of an object."""
        return [ids.numbered(sobject.prefix, n) for n in self.take(sobject.name, count)]

    def insert(self, sobject: SObject, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write new rows; a column a row lacks stays null."""
        names = [field.name for field in sobject.stored]
        listed = ",".join(f'"{name}"' for name in names)
        self.db.executemany(
            f"INSERT INTO {table(sobject)}({listed}) VALUES ({marks(len(names))})",
            ([row.get(name) for name in names] for row in rows),
        )

    def rows(self, sobject: SObject, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return rows by id, deleted ones too; ids without a row are left out."""
        found: dict[str, dict[str, Any]] = {}
        asked = list(dict.fromkeys(wanted))
        for at in range(0, len(asked), _CHUNK):
            part = asked[at : at + _CHUNK]
            cursor = self.db.execute(
                f'SELECT * FROM {table(sobject)} WHERE "Id" IN ({marks(len(part))})', part
            )
            found.update((row["Id"], dict(row)) for row in cursor)
        return found

    def row(self, sobject: SObject, id_: str) -> dict[str, Any] | None:
        """Return one row, deleted or not."""
        return self.rows(sobject, [id_]).get(id_)

    def change(self, sobject: SObject, id_: str, values: Mapping[str, Any]) -> None:
        """Set columns of one row."""
        sets = ", ".join(f'"{name}" = ?' for name in values)
        self.db.execute(
            f'UPDATE {table(sobject)} SET {sets} WHERE "Id" = ?', (*values.values(), id_)
        )

    def pointing(self, sobject: SObject, field: Field, parent: str) -> list[dict[str, Any]]:
        """Return the live rows whose lookup holds a parent's id."""
        cursor = self.db.execute(
            f'SELECT * FROM {table(sobject)} WHERE "{field.name}" = ? AND _deleted IS NULL',
            (parent,),
        )
        return [dict(row) for row in cursor]

    def setting(self, key: str, default: str = "") -> str:
        """Return a setting of the org."""
        row = self.db.execute("SELECT value FROM sf_setting WHERE key = ?", (key,)).fetchone()
        return default if row is None else str(row[0])

    def set(self, key: str, value: str) -> None:
        """Keep a setting of the org."""
        self.db.execute("INSERT OR REPLACE INTO sf_setting VALUES (?, ?)", (key, value))
