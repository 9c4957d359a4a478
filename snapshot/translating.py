"""One SQL text for both databases: SQLite's words turned into PostgreSQL's. Pure.

Statements are written once, for SQLite. What is the same on both passes as it is; this file knows
the rest. **A new statement keeps to these idioms:**

* Values are bound by ``?``. A list is bound as JSON and joined from a table-valued
  ``json_each(?)``, **whose alias tells the type of its values**:

  - ``json_each(?) AS j`` -- ``j.value`` is a 64-bit integer,
  - ``json_each(?) AS t`` -- ``t.value`` is a text,
  - ``json_each(?) AS p`` -- ``p.value`` is an array or object, taken apart by
    ``json_extract(p.value, '$[0]')``, an integer, or ``json_extract(p.value, '$.name')``, a text.

  ``key`` counts from 0. A digit may follow the letter (``j2``). The alias is never left out:
  ``IN (SELECT value FROM json_each(?) AS t)``.
* ``CROSS JOIN x AS y ON ...`` pins SQLite's join order; PostgreSQL plans a plain JOIN. The same
  for ``INDEXED BY name`` and a unary ``+`` before a column, which are dropped.
* ``a IS b`` and ``a IS NOT b`` compare values that may be NULL.
* ``min(a, b)`` and ``max(a, b)`` of whole numbers are NULL where a or b is; ``iif(c, a, b)``;
  ``ifnull(a, b)``.
* ``INSERT OR IGNORE``; temporary tables are ``CREATE TEMP TABLE name (...) WITHOUT ROWID``
  and later ``temp.name``.
* ``INTEGER`` in a CAST or a temporary table has 64 bits.

What has no equal on PostgreSQL is refused, see `REFUSED`. And without a rule, because it cannot be
seen in the text:

* No condition is a bare number (``WHERE 1``: say ``TRUE``), no truth is summed (``sum(a = b)``:
  say ``count(*) FILTER (WHERE a = b)``).
* NULL comes first in SQLite and last in PostgreSQL: order nullable columns by ``NULLS LAST`` or
  ``NULLS FIRST``, or not at all.
* In ``ON CONFLICT DO UPDATE`` the old row's columns bear the table's name (``anchor.size``).
* Ids that the database gives come back by ``RETURNING``, not ``lastrowid``.
* Columns beside an aggregate are in GROUP BY, or depend on its primary key.
* ``left`` and other reserved words stand in double quotes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

REFUSED: Final[Mapping[str, str]] = {
    "GLOB": "compare by = or by a range",
    "LIKE": "it folds case on SQLite only; compare by = or by a range",
    "MATCH": "PostgreSQL has no such search",
    "REGEXP": "PostgreSQL has no such search",
    "ROWID": "name the primary key",
    "PRAGMA": "that is SQLite's own",
    "SQLITE_MASTER": "ask snapshot.place.table_names",
    "INSERT OR REPLACE": "say ON CONFLICT DO UPDATE",
    "GROUP_CONCAT(": "join the texts in Python",
    "PRINTF(": "format in Python",
    "STRFTIME(": "format in Python",
    "TOTAL(": "say coalesce(sum(x), 0)",
}
"""Words of SQLite that no rule here turns into PostgreSQL, and what to say instead."""

_TOKEN: Final = re.compile(
    r"'(?:[^']|'')*'"  # a text
    r'|"(?:[^"]|"")*"'  # a quoted name
    r"|\$\$.*?\$\$"  # the body of a function of PostgreSQL
    r"|--[^\n]*|/\*.*?\*/"
    r"|\w+|\s+|<>|<=|>=|!=|\|\||.",
    re.DOTALL,
)
_LISTED: Final = re.compile(r"([jtp])\d*")
_PATH: Final = re.compile(r"'\$(?:\[(\d+)\]|\.(\w+))'")

_WORDS: Final = {"INTEGER": "bigint", "BLOB": "bytea", "REAL": "double precision"}
_ELEMENTS: Final = {
    "j": ("e.value::bigint", "json_array_elements_text"),
    "t": ("e.value", "json_array_elements_text"),
    "p": ("e.value", "json_array_elements"),
}
_TRUTHS: Final = {"NULL", "TRUE", "FALSE", "UNKNOWN", "DISTINCT", "JSON"}
_JOIN_ENDS: Final = {"CROSS", "JOIN", "LEFT", "INNER", "WHERE", "GROUP", "ORDER", "LIMIT", "UNION"}
_BEFORE_SIGN: Final = frozenset(
    "( , = < > <= >= <> != ON AND OR NOT WHERE BY SELECT WHEN THEN ELSE".split()  # noqa: SIM905 -- reads as SQL
)

_Tokens: TypeAlias = list[str]


@lru_cache(maxsize=1024)
def translated(sql: str) -> str:
    """Return a statement of ours in PostgreSQL's words, its values bound by ``%s``.

    Raises:
        ValueError: it uses what only SQLite has.
    """
    tokens = _TOKEN.findall(sql)
    for rule in (_hints, _refusing, _calls, _ignoring, _joins, _signs, _sameness, _names):
        tokens = rule(tokens)
    return "".join(_bound(token) for token in tokens)


@lru_cache(maxsize=256)
def translated_condition(sql: str) -> str:
    """Return a statement that SQLAlchemy wrote, with what its CHECK conditions say turned."""
    return "".join(_sameness(_calls(_TOKEN.findall(sql))))


def _bound(token: str) -> str:
    """Return a token with values bound by the driver's mark; its ``%`` are doubled everywhere."""
    return "%s" if token == "?" else token.replace("%", "%%")  # noqa: S105 -- a token of SQL


def _word(tokens: Sequence[str], index: int) -> str:
    return tokens[index].upper() if 0 <= index < len(tokens) else ""


def _next(tokens: Sequence[str], index: int) -> int:
    """Return the index of the next token that is no space."""
    index += 1
    while index < len(tokens) and tokens[index].isspace():
        index += 1
    return index


def _last(tokens: Sequence[str]) -> str:
    """Return the last word that is no space."""
    return next((token.upper() for token in reversed(tokens) if not token.isspace()), "")


def _refusing(tokens: _Tokens) -> _Tokens:
    """Return the same.

    Raises:
        ValueError: a word has no equal on PostgreSQL.
    """
    words = [token.upper() for token in tokens if not token.isspace()]
    for index, word in enumerate(words):
        said = (word, "".join(words[index : index + 2]), " ".join(words[index : index + 3]))
        for each in said:
            if each in REFUSED:
                raise ValueError(f"{each} is SQLite's alone: {REFUSED[each]}")
    return tokens


# --- functions -------------------------------------------------------------------------------


def _calls(tokens: _Tokens) -> _Tokens:
    """Turn calls of functions, inner ones too."""
    made: _Tokens = []
    index = 0
    while index < len(tokens):
        name = tokens[index].lower()
        if name not in _CALLS or _word(tokens, index + 1) != "(":
            made.append(tokens[index])
            index += 1
            continue
        arguments, end = _arguments(tokens, index + 1)
        inner = ["".join(_calls(each)).strip() for each in arguments]
        alias = _alias(tokens, end) if name == "json_each" else ""
        made.extend(_TOKEN.findall(_CALLS[name](inner, alias)))
        index = end + 1
    return made


def _arguments(tokens: _Tokens, start: int) -> tuple[list[_Tokens], int]:
    """Return the arguments of a call, and the index of its closing bracket."""
    arguments: list[_Tokens] = [[]]
    depth = 0
    for index in range(start, len(tokens)):
        token = tokens[index]
        depth += (token == "(") - (token == ")")  # noqa: S105 -- tokens of SQL
        if not depth:
            return arguments, index
        if token == "," and depth == 1:  # noqa: S105 -- a token of SQL
            arguments.append([])
        elif index > start:
            arguments[-1].append(token)
    raise ValueError("a bracket is not closed")


def _alias(tokens: _Tokens, end: int) -> str:
    """Return the alias behind a call."""
    named = _next(tokens, end)
    return _word(tokens, _next(tokens, named)).lower() if _word(tokens, named) == "AS" else ""


def _each(arguments: Sequence[str], alias: str) -> str:
    kind = _LISTED.fullmatch(alias)
    if kind is None:
        raise ValueError("json_each needs the alias j (integers), t (texts) or p (places)")
    value, elements = _ELEMENTS[kind[1]]
    [listed] = arguments
    side = "" if listed == "?" else "LATERAL "
    return (
        f"{side}(SELECT {value} AS value, e.key - 1 AS key FROM {elements}({listed}::json)"  # noqa: S608 -- a rewriting of ours
        " WITH ORDINALITY AS e(value, key))"
    )


def _extract(arguments: Sequence[str], _alias: str) -> str:
    value, path = arguments
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"json_extract takes '$[0]' or '$.name', not {path}")
    place, name = found.groups()
    return f"({value} ->> '{name}')" if place is None else f"({value} ->> {place})::bigint"


def _if(arguments: Sequence[str], _alias: str) -> str:
    condition, then, other = arguments
    return f"CASE WHEN {condition} THEN {then} ELSE {other} END"


def _is_json(arguments: Sequence[str], _alias: str) -> str:
    [column] = arguments
    return f"({column} IS NULL OR ({column})::json IS NOT NULL)"


def _extreme(name: str, of_values: str) -> Callable[[Sequence[str], str], str]:
    def call(arguments: Sequence[str], _alias: str) -> str:
        if len(arguments) == 1:
            return f"{name}({arguments[0]})"
        names = ", ".join(f"x{no}" for no in range(len(arguments)))
        values = ", ".join(f"({argument})::bigint" for argument in arguments)
        return (
            f"(SELECT CASE WHEN num_nulls({names}) = 0 THEN {of_values}({names}) END"  # noqa: S608 -- a rewriting of ours
            f" FROM (VALUES ({values})) AS m({names}))"
        )

    return call


_CALLS: Final[Mapping[str, Callable[[Sequence[str], str], str]]] = {
    "json_each": _each,
    "json_extract": _extract,
    "iif": _if,
    "json_valid": _is_json,
    "ifnull": lambda arguments, _: f"coalesce({', '.join(arguments)})",
    "min": _extreme("min", "least"),
    "max": _extreme("max", "greatest"),
}


# --- phrases ---------------------------------------------------------------------------------


def _ignoring(tokens: _Tokens) -> _Tokens:
    """Turn INSERT OR IGNORE."""
    first = _next(tokens, -1)
    second = _next(tokens, first)
    third = _next(tokens, second)
    if [_word(tokens, at) for at in (first, second, third)] != ["INSERT", "OR", "IGNORE"]:
        return tokens
    rest = tokens[third + 2 :]
    ends = [at for at, token in enumerate(rest) if token.upper() == "RETURNING"]
    end = ends[-1] if ends else len(rest)
    behind = "" if end == len(rest) else " "
    return [*tokens[:second], *rest[:end], f" ON CONFLICT DO NOTHING{behind}", *rest[end:]]


def _joins(tokens: _Tokens) -> _Tokens:
    """Turn CROSS JOIN with a condition into JOIN."""
    made = list(tokens)
    for index, token in enumerate(tokens):
        if token.upper() != "CROSS" or not _has_condition(tokens, _next(tokens, index) + 1):
            continue
        made[index] = made[index + 1] = ""
    return [token for token in made if token]


def _has_condition(tokens: _Tokens, start: int) -> bool:
    depth = 0
    for token in tokens[start:]:
        depth += (token == "(") - (token == ")")  # noqa: S105 -- tokens of SQL
        if depth < 0 or (depth == 0 and token.upper() in _JOIN_ENDS):
            return False
        if depth == 0 and token.upper() in {"ON", "USING"}:
            return True
    return False


def _hints(tokens: _Tokens) -> _Tokens:
    """Drop INDEXED BY and WITHOUT ROWID, and name the schema of temporary tables."""
    made: _Tokens = []
    index = 0
    while index < len(tokens):
        word, second = tokens[index].upper(), _next(tokens, index)
        if word == "INDEXED" and _word(tokens, second) == "BY":
            index = _next(tokens, second) + 1
            made.pop()  # the space before it
            continue
        if word == "WITHOUT":
            index = second + 1
            continue
        schema = word == "TEMP" and _word(tokens, index + 1) == "."
        made.append("pg_temp" if schema else tokens[index])
        index += 1
    return made


def _signs(tokens: _Tokens) -> _Tokens:
    """Drop the unary plus that keeps SQLite from using an index."""
    made: _Tokens = []
    for index, token in enumerate(tokens):
        named = _word(tokens, index + 1).isidentifier()
        if token == "+" and named and _last(made) in _BEFORE_SIGN:  # noqa: S105 -- a token of SQL
            continue
        made.append(token)
    return made


def _sameness(tokens: _Tokens) -> _Tokens:
    """Turn IS and IS NOT between values."""
    made = list(tokens)
    for index, token in enumerate(tokens):
        if token.upper() != "IS":
            continue
        after = _next(tokens, index)
        negated = _word(tokens, after) == "NOT"
        if _word(tokens, _next(tokens, after) if negated else after) in _TRUTHS:
            continue
        made[index] = "IS DISTINCT FROM" if negated else "IS NOT DISTINCT FROM"
        if negated:
            made[index + 1 : after + 1] = [""] * (after - index)
    return made


def _names(tokens: _Tokens) -> _Tokens:
    return [_WORDS.get(token.upper(), token) for token in tokens]
