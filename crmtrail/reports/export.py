"""Export the records of an object at one time, and seal that.

Records are gone through twice: once to count them and learn their columns, once to write them
(JSON lines in a file need neither, and go through once).
Both times only the same first entries of the ledger count, so both see the same records, and a
sync may go on meanwhile. Memory does not grow with the records.
"""

import hashlib
import importlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from crmtrail import landing
from crmtrail.errors import Mistake, Unfound
from crmtrail.model import Version, stamp
from crmtrail.ports import Store
from crmtrail.reports.cells import cell_of
from crmtrail.reports.kinds import Kind
from crmtrail.reports.layout import Layout, Table

FORMATS: Final = {
    "csv": ("texts", "CsvTable"),
    "jsonl": ("texts", "JsonLines"),
    "parquet": ("arrow", "ParquetTable"),
    "xlsx": ("workbook", "XlsxTable"),
}
"""Each format with the module that holds it, so that a library is loaded only where it is used."""

STREAMED: Final = frozenset({"csv", "jsonl"})
"""Formats that can go to standard output."""

Progress: TypeAlias = Callable[[int, int | None, str], None]
_TOLD_EVERY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Order:
    """What to export. ``raw`` switches off the guard against formulas.

    ``at`` is the valid time, ``known`` the known time: only what was known by then. None: now.
    """

    source: str
    object: str
    format: str
    at: datetime | None = None
    deleted: bool = False
    raw: bool = False
    known: datetime | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported. ``cut`` counts cells that did not fit; ``leaf`` is the ledger's entry.

    ``path``, ``bytes`` and ``sha256`` are those of the file; None for a stream.
    """

    rows: int
    columns: int
    known: int
    leaf: int
    cut: int = 0
    path: Path | None = None
    bytes: int | None = None
    sha256: str | None = None


@dataclass(slots=True)
class _Survey:
    """What the first pass learns."""

    rows: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)


class Exporter:
    """Exports from one store.

    Args:
        store: where the records are, and the ledger.
        by: who exports.
        now: the time of the export.
        progress: told now and then how far it is: done, total, words.

    Raises:
        Mistake: the order cannot be carried out as it is; nothing was written.
        Unfound: the store knows no such object.
    """

    def __init__(
        self, store: Store, by: str, now: datetime, progress: Progress = lambda *_: None
    ) -> None:
        self._store = store
        self._by = by
        self._now = now
        self._progress = progress

    def to_file(self, order: Order, path: Path, *, force: bool = False) -> Exported:
        """Write a file, which is there whole at the end or not at all."""
        landing.check(path, force=force)
        table, layout, entries = self._prepare(order)
        with landing.beside(path) as part:
            with part.open("wb") as stream:
                rows, cut = self._write(order, table, layout, entries, stream)
            size = part.stat().st_size
            with part.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            made = {"rows": rows, "to": path.name, "bytes": size, "sha256": digest, "cut": cut}
            leaf = self._seal(order, entries, made)
            landing.land(part, path, force=force)
        columns = len(layout.header)
        return Exported(rows, columns, entries, leaf, cut, path, size, digest)

    def to_stream(self, order: Order, stream: BinaryIO) -> Exported:
        """Write to a stream, for formats of text. It is sealed before the first byte goes out.

        Nobody can tell how much of a stream arrives, so the ledger holds what was asked for.
        """
        if order.format not in STREAMED:
            raise Mistake(
                f"{order.format} cannot be written to standard output",
                hint="name a file with --to, or use csv or jsonl",
            )
        table, layout, entries = self._prepare(order, counted=True)
        leaf = self._seal(order, entries, {"rows": layout.rows, "to": "-"})
        rows, cut = self._write(order, table, layout, entries, stream)
        stream.flush()
        return Exported(rows, len(layout.header), entries, leaf, cut)

    def _prepare(self, order: Order, *, counted: bool = False) -> tuple[type[Table], Layout, int]:
        if order.raw and order.format != "csv":
            raise Mistake("--raw is for csv; the other formats hold every text as it is")
        table = _table(order.format)
        self._find(order)
        entries = self._store.checkpoint(self._now).size
        survey = self._survey(order, entries) if table.surveyed or counted else _Survey()
        layout = self._layout(order, survey)
        _check_size(order, table, layout)
        return table, layout, entries

    def _find(self, order: Order) -> None:
        synced = [(one.source, one.object) for one in self._store.standings()]
        if (order.source, order.object) not in synced:
            there = ", ".join(":".join(one) for one in synced) or "nothing yet"
            raise Unfound(
                f"{order.source}:{order.object} is not in the store", hint=f"it holds {there}"
            )

    def _records(self, order: Order, entries: int) -> Iterator[Version]:
        for state in self._store.records(
            order.source, order.object, order.at, known=order.known, size=entries
        ):
            if order.deleted or not state.deleted:
                yield state

    def _survey(self, order: Order, entries: int) -> _Survey:
        found = _Survey()
        schema = self._store.schema(order.source, order.object)
        fields = {} if schema is None else schema.fields
        typed = order.format == "parquet"
        for state in self._records(order, entries):
            found.rows += 1
            if found.rows % _TOLD_EVERY == 0:
                self._progress(found.rows, None, "counting")
            for name in state.fields.keys() - found.kinds.keys():
                found.kinds[name] = Kind()
            if typed:
                for name, token in state.fields.items():
                    found.kinds[name].see(cell_of(token, fields.get(name)))
        return found

    def _layout(self, order: Order, survey: _Survey) -> Layout:
        schema = self._store.schema(order.source, order.object)
        fields = {} if schema is None else schema.fields
        return Layout(
            source=order.source,
            object=order.object,
            # Without any record the header still says what there could be.
            names=sorted(survey.kinds or fields),
            fields=fields,
            rows=survey.rows,
            made=self._now,
            deleted=order.deleted,
            raw=order.raw,
            kinds={name: str(kind) for name, kind in survey.kinds.items()},
        )

    def _write(
        self, order: Order, make: type[Table], layout: Layout, entries: int, stream: BinaryIO
    ) -> tuple[int, int]:
        """Write all records; return how many, and how many cells did not fit."""
        rows = 0
        with closing(make(stream, layout)) as table:
            for state in self._records(order, entries):
                table.write(state)
                rows += 1
                if rows % _TOLD_EVERY == 0:
                    self._progress(rows, layout.rows or None, "writing")
        return rows, table.cut

    def _seal(self, order: Order, entries: int, made: dict[str, object]) -> int:
        entry = {
            "by": self._by,
            "source": order.source,
            "object": order.object,
            "at": None if order.at is None else stamp(order.at),
            "known": entries,
            "known_at": None if order.known is None else stamp(order.known),
            "format": order.format,
            "deleted": order.deleted,
            "raw": order.raw,
        }
        return self._store.seal("export", entry | made, self._now)


def _table(format_: str) -> type[Table]:
    module, name = FORMATS[format_]
    try:
        made: type[Table] = getattr(importlib.import_module(f"crmtrail.reports.{module}"), name)
    except ModuleNotFoundError as error:
        raise Mistake(
            f"{format_} needs the library {error.name}, which is not installed",
            hint=f"install crmtrail with its extra: uv tool install 'crmtrail[{format_}]'",
        ) from None
    return made


def _check_size(order: Order, table: type[Table], layout: Layout) -> None:
    """See that a table fits its format, before anything is written."""
    sizes = (
        ("records", layout.rows, table.records),
        ("columns", len(layout.header), table.columns),
    )
    for what, count, most in sizes:
        if most is not None and count > most:
            raise Mistake(
                f"{count:,} {what} do not fit a sheet of {order.format}, which holds {most:,}",
                hint="use --format csv, jsonl or parquet",
            )
