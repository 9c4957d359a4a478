"""Tables as Parquet, by pyarrow, in constant memory."""

from decimal import Decimal
from typing import Any, BinaryIO, ClassVar, Final

import pyarrow as pa
from pyarrow import parquet

from crmtrail.model import Version, stamp
from crmtrail.reports.cells import Cell
from crmtrail.reports.kinds import DECIMAL, TEXT, TRUTH, WHOLE
from crmtrail.reports.layout import DELETED, VERSION, Layout

_BATCH: Final = 2_000
_OWN: Final = {VERSION: WHOLE, DELETED: TRUTH}


class ParquetTable:
    """Typed columns that hold every value exactly: truth values, whole numbers, decimals, texts.

    A column whose values fit none of the others is text. Where the table is from is in the file's
    metadata.
    """

    surveyed: ClassVar[bool] = True
    columns: ClassVar[int | None] = None
    records: ClassVar[int | None] = None

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        self.cut = 0
        self._layout = layout
        self._kinds = [_OWN.get(name, TEXT) for name in layout.own]
        self._kinds += [layout.kinds.get(name, TEXT) for name in layout.names]
        origin = {
            "crmtrail.source": layout.source,
            "crmtrail.object": layout.object,
            "crmtrail.exported": stamp(layout.made),
        }
        columns = zip(layout.header, self._kinds, strict=True)
        self._schema = pa.schema([(name, _type(kind)) for name, kind in columns], origin)
        self._writer = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[list[Any]] = []

    def write(self, state: Version) -> None:
        """Add a record."""
        cells = zip(self._layout.row(state), self._kinds, strict=True)
        self._rows.append([_value(cell, kind) for cell, kind in cells])
        if len(self._rows) >= _BATCH:
            self._flush()

    def close(self) -> None:
        """Write out what is left."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = zip(zip(*self._rows, strict=True), self._schema, strict=True)
            arrays = [pa.array(values, field.type) for values, field in columns]
            self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._rows.clear()


def _type(kind: str) -> Any:
    if kind.startswith(DECIMAL):
        _, digits, after = kind.split(":")
        return pa.decimal128(int(digits), int(after))
    return {TRUTH: pa.bool_(), WHOLE: pa.int64(), TEXT: pa.string()}[kind]


def _value(cell: Cell, kind: str) -> Any:
    if cell is None or kind == TRUTH:
        return cell
    if kind == TEXT:
        return str(cell).lower() if isinstance(cell, bool) else str(cell)
    return int(cell) if kind == WHOLE else Decimal(cell)
