"""The table of docs/faults.md, between two marks that nobody sees."""

from collections.abc import Sequence
from pathlib import Path

from support.faults.tally import Row, table

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
_BEGIN, _END = "<!-- counts: make fault -->", "<!-- end of counts -->"


def written() -> str:
    """Return the table as it was written last."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    return rest.partition(_END)[0].strip()


def write(rows: Sequence[Row]) -> None:
    """Put a table in the place of the last one."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n\n{table(rows)}\n\n{_END}{after}", encoding="utf-8")
