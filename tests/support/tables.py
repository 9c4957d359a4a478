"""Read exports back, with libraries that did not write them where there are any."""

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
from pyarrow import parquet


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def json_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sheet_rows(path: Path) -> list[dict[str, Any]]:
    """Return the cells of each row by column: (openpyxl's data type, value)."""
    book = openpyxl.load_workbook(path)
    try:
        header, *rows = book.active.iter_rows()
        names = [cell.value for cell in header]
        return [
            {name: (cell.data_type, cell.value) for name, cell in zip(names, row, strict=True)}
            for row in rows
        ]
    finally:
        book.close()


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return found
