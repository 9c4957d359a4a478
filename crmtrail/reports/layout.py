"""Which columns a table has, and what it is of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, ClassVar, Final, Protocol

from crmtrail.model import Field, Version, stamp
from crmtrail.reports.cells import Cell, Number, cell_of

ID: Final = "_id"
VERSION: Final = "_version"
AT: Final = "_at"
DELETED: Final = "_deleted"
"""Columns of ours. A field of the same name gets one more underscore."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a table of records.

    ``names`` are the field columns in order, ``fields`` what the vendor's metadata says of them.
    ``rows`` is how many there will be. ``kinds``, where asked for, tells what every value of a
    column fits in (`crmtrail.reports.kinds`). ``made`` is the time of the export.
    """

    source: str
    object: str
    names: Sequence[str]
    fields: Mapping[str, Field]
    rows: int
    made: datetime
    deleted: bool = False
    raw: bool = False
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def header(self) -> list[str]:
        """The names of all columns, each another one."""
        names = {*self.own, *self.names}
        titles = [*self.own]
        for name in self.names:
            title = name
            while title in self.own or (title != name and title in names):
                title = f"_{title}"
            titles.append(title)
        return titles

    @property
    def own(self) -> list[str]:
        """The names of the columns before the fields."""
        return [ID, VERSION, AT, *([DELETED] if self.deleted else [])]

    def row(self, state: Version) -> list[Cell]:
        """Return a record's cells, in the order of the header."""
        own: list[Cell] = [state.ref.id, Number(state.number), stamp(state.at)]
        if self.deleted:
            own.append(state.deleted)
        tokens, fields = state.fields, self.fields
        return own + [cell_of(tokens.get(name), fields.get(name)) for name in self.names]


class Table(Protocol):
    """A file being written.

    ``cut`` counts the cells that the format could not hold whole. ``columns`` and ``records`` are
    the most that it can hold at all; None where there is no limit. ``surveyed`` says whether it
    has to know its columns beforehand.
    """

    surveyed: ClassVar[bool]
    columns: ClassVar[int | None]
    records: ClassVar[int | None]
    cut: int

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        """Begin a table on a binary stream."""
        ...

    def write(self, state: Version) -> None:
        """Add a record."""
        ...

    def close(self) -> None:
        """Finish the file; the stream stays open."""
        ...
