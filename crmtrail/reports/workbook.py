"""Tables as XLSX, by XlsxWriter in constant memory.

What Excel can hold: 1,048,576 rows, 16,384 columns and 32,767 characters in a cell
(https://support.microsoft.com/office/excel-specifications-and-limits), and numbers of 15 digits.
"""

import re
from decimal import Decimal
from typing import BinaryIO, ClassVar, Final

import xlsxwriter

from crmtrail.model import Version
from crmtrail.reports.cells import Cell, Number
from crmtrail.reports.layout import Layout

CHARACTERS: Final = 32_767
_CUT: Final = " ... [cut: a cell of Excel ends here]"
_DIGITS: Final = 15
_SMALLEST, _LARGEST = Decimal("1e-300"), Decimal("1e300")
_NOT_IN_NAMES: Final = re.compile(r"[\[\]:*?/\\']")
_NAME: Final = 31


class XlsxTable:
    """One sheet: a header, then typed cells. A text is always a text, never a formula or link.

    A number that Excel would round is written as a text with all its digits. A text that is too
    long for a cell is cut, says so itself, and is counted in ``cut``.
    """

    surveyed: ClassVar[bool] = True
    columns: ClassVar[int | None] = 16_384
    records: ClassVar[int | None] = 1_048_576 - 1

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        self.cut = 0
        self._layout = layout
        self._row = 0
        self._book = xlsxwriter.Workbook(
            stream,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
            },
        )
        self._book.set_properties({"created": layout.made.replace(tzinfo=None)})
        name = _NOT_IN_NAMES.sub(" ", layout.object)[:_NAME].strip()
        reserved = name.casefold() in {"", "history"}
        self._sheet = self._book.add_worksheet("records" if reserved else name)
        self._sheet.freeze_panes(1, 1)
        bold = self._book.add_format({"bold": True})
        for column, title in enumerate(layout.header):
            self._sheet.write_string(0, column, title, bold)

    def write(self, state: Version) -> None:
        """Add a record."""
        self._row += 1
        for column, cell in enumerate(self._layout.row(state)):
            if cell is not None:
                self._put(column, cell)

    def close(self) -> None:
        """Write out the workbook."""
        self._book.close()

    def _put(self, column: int, cell: Cell) -> None:
        if isinstance(cell, bool):
            self._sheet.write_boolean(self._row, column, cell)
        elif isinstance(cell, Number) and (number := exactly(cell)) is not None:
            self._sheet.write_number(self._row, column, number)
        else:
            self._sheet.write_string(self._row, column, self._fitting(str(cell)))

    def _fitting(self, text: str) -> str:
        if len(text) * 2 <= CHARACTERS or _units(text) <= CHARACTERS:
            return text
        self.cut += 1
        room = CHARACTERS - len(_CUT)
        return text.encode("utf-16-le")[: room * 2].decode("utf-16-le", "ignore") + _CUT


def exactly(number: str) -> float | None:
    """Return a number as Excel keeps it; None where that would lose digits."""
    value = Decimal(number)
    if value.is_zero():
        return 0.0
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    fits = len(digits) <= _DIGITS and _SMALLEST <= value.copy_abs() <= _LARGEST
    return float(value) if fits else None


def _units(text: str) -> int:
    """Return the length as Excel counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2
