"""Tables as text: CSV and JSON lines."""

import csv
import io
from typing import BinaryIO, ClassVar

from crmtrail import shapes
from crmtrail.model import Version
from crmtrail.reports.cells import Cell, Number, guarded
from crmtrail.reports.layout import Layout


class CsvTable:
    """RFC 4180: commas, CR LF, quotes where needed, a header, UTF-8 without a byte order mark.

    Texts that a spreadsheet could take for a formula get ``'`` in front, unless the layout says
    raw. Numbers are written digit by digit, truth values as true and false, blanks as nothing.
    """

    surveyed: ClassVar[bool] = True
    columns: ClassVar[int | None] = None
    records: ClassVar[int | None] = None

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        self.cut = 0
        self._layout = layout
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
        self._writer = csv.writer(self._text)
        self._writer.writerow([self._shown(name) for name in layout.header])

    def write(self, state: Version) -> None:
        """Add a record."""
        self._writer.writerow([self._shown(cell) for cell in self._layout.row(state)])

    def close(self) -> None:
        """Write out what is left."""
        self._text.detach()

    def _shown(self, cell: Cell) -> str:
        if cell is None:
            return ""
        if isinstance(cell, bool):
            return "true" if cell else "false"
        if isinstance(cell, Number) or self._layout.raw:
            return cell
        return guarded(cell)


class JsonLines:
    """One record a line, in the shape of ``crmtrail show --json``, with the exact tokens."""

    surveyed: ClassVar[bool] = False
    columns: ClassVar[int | None] = None
    records: ClassVar[int | None] = None

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        del layout
        self.cut = 0
        self._stream = stream

    def write(self, state: Version) -> None:
        """Add a record."""
        self._stream.write(shapes.encode(shapes.version(state)) + b"\n")

    def close(self) -> None:
        """Write out what is left."""
        self._stream.flush()
