"""The CSV of the Bulk API: every value in quotes on the way out, strict on the way in."""

import re
from collections.abc import Iterable, Sequence

DELIMITERS = {
    "COMMA": ",",
    "TAB": "\t",
    "SEMICOLON": ";",
    "PIPE": "|",
    "CARET": "^",
    "BACKQUOTE": "`",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}


class BadCsv(Exception):
    """A text that is no CSV of the kind agreed on."""


def line(values: Iterable[str], delimiter: str) -> str:
    """Return one line without its end."""
    return delimiter.join('"' + value.replace('"', '""') + '"' for value in values)


def parse(text: str, delimiter: str, ending: str) -> list[list[str]]:
    """Return the rows of a text.

    Blanks beside quotes are an error, as is the line end that was not agreed on.

    Raises:
        BadCsv: not well-formed.
    """
    edge = re.escape(delimiter)
    cell = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|([^"{edge}\r\n]*))({edge}|\r\n|\n|\Z)')
    rows: list[list[str]] = []
    row: list[str] = []
    at = 0
    while at < len(text) or row:
        match = cell.match(text, at)
        if match is None:
            raise BadCsv(f"Failed to parse CSV at row {len(rows) + 1}: unexpected character")
        quoted, plain, stop = match.groups()
        row.append(plain if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if stop == delimiter:
            continue
        if stop and stop != ending:
            setting = next(name for name, told in LINE_ENDINGS.items() if told == ending)
            raise BadCsv(
                "LineEnding is invalid on user data. Current LineEnding setting is " + setting
            )
        rows.append(row)
        row = []
        if not stop:
            break
    return rows


def page(header: Sequence[str], rows: Iterable[str], delimiter: str, ending: str) -> bytes:
    """Return a document: the header, then lines that `line` made."""
    return "".join(told + ending for told in (line(header, delimiter), *rows)).encode()
