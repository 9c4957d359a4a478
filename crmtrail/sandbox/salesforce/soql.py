"""Reading SOQL: a statement becomes a tree, or a refusal that points at the place."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.soql_tree import (
    Call,
    Comparison,
    Condition,
    Literal,
    Logic,
    Name,
    Not,
    Order,
    Query,
    refuse,
)

MAX_STATEMENT = 100_000
MAX_OFFSET = 2000
_LISTS = ("IN", "NOT IN", "INCLUDES", "EXCLUDES")
_RESERVED = frozenset(
    [
        "select",
        "from",
        "where",
        "and",
        "or",
        "not",
        "in",
        "like",
        "includes",
        "excludes",
        "group",
        "order",
        "by",
        "limit",
        "offset",
        "having",
        "asc",
        "desc",
        "nulls",
        "first",
        "last",
        "null",
        "true",
        "false",
        "for",
        "with",
        "using",
        "all",
    ]
)
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    |(?P<date>\d{4}-\d\d-\d\d)
    |(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<range>[A-Za-z_]+:\d+)
    |(?P<word>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    |(?P<symbol><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text) - at - len(text[at:].lstrip())
            raise refuse("MALFORMED_QUERY", text, at, f"unexpected token: '{text[at]}'")
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    found.append(_Token("end", "<EOF>", len(text)))
    return found


def parse(text: str) -> Query:
    """Read a statement.

    Raises:
        Refusal: MALFORMED_QUERY, or NUMBER_OUTSIDE_VALID_RANGE for too large an OFFSET.
    """
    if len(text) > MAX_STATEMENT:
        raise Refusal("MALFORMED_QUERY", "SOQL statements cannot be longer than 100000 characters.")
    return _Parser(text).statement()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _wrong(self, token: _Token | None = None, detail: str = "") -> Refusal:
        token = token or self._now
        return refuse(
            "MALFORMED_QUERY", self._text, token.at, detail or f"unexpected token: '{token.text}'"
        )

    def _next(self) -> _Token:
        token = self._now
        self._at += token.kind != "end"
        return token

    def _is(self, *texts: str) -> bool:
        """Whether the next tokens are these keywords or symbols."""
        following = self._tokens[self._at : self._at + len(texts)]
        return len(following) == len(texts) and all(
            token.kind in ("word", "symbol") and token.text.upper() == text
            for token, text in zip(following, texts, strict=True)
        )

    def _take(self, *texts: str) -> bool:
        if self._is(*texts):
            self._at += len(texts)
            return True
        return False

    def _must(self, *texts: str) -> None:
        for text in texts:
            if not self._take(text):
                raise self._wrong(detail=f"expecting '{text}', found '{self._now.text}'")

    def _listed(self, item: Callable[[], T]) -> tuple[T, ...]:
        items = [item()]
        while self._take(","):
            items.append(item())
        return tuple(items)

    def statement(self) -> Query:
        query = self._query(top=True)
        if self._now.kind != "end":
            raise self._wrong()
        return query

    def _query(self, *, top: bool) -> Query:
        self._must("SELECT")
        select = self._listed(self._item if top else self._plain_item)
        self._must("FROM")
        source = self._next()
        # Group and Order are objects, too, so any word will do.
        if source.kind != "word":
            raise self._wrong(source)
        alias = None
        if self._now.kind == "word" and self._now.text.lower() not in _RESERVED:
            alias = self._next().text
        where = self._condition() if self._take("WHERE") else None
        group = self._listed(self._name) if self._take("GROUP", "BY") else ()
        having = self._condition() if group and self._take("HAVING") else None
        order = self._listed(self._order) if self._take("ORDER", "BY") else ()
        limit = self._count() if self._take("LIMIT") else None
        offset = self._count() if self._take("OFFSET") else 0
        if offset > MAX_OFFSET:
            raise Refusal(
                "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}"
            )
        return Query(
            select, source.text, source.at, alias, where, group, having, order, limit, offset,
            self._text,
        )  # fmt: skip

    def _word(self) -> _Token:
        if self._now.kind != "word" or self._now.text.lower() in _RESERVED:
            raise self._wrong()
        return self._next()

    def _count(self) -> int:
        token = self._next()
        if token.kind != "number" or not token.text.isdigit():
            raise self._wrong(token)
        return int(token.text)

    def _item(self) -> Name | Call | Query:
        if self._take("("):
            query = self._query(top=False)
            self._must(")")
            return query
        return self._plain_item()

    def _plain_item(self) -> Name | Call:
        made = self._operand()
        if self._now.kind == "word" and self._now.text.lower() not in _RESERVED:
            alias = self._next().text
            if isinstance(made, Name):
                return Name(made.parts, made.at, alias)
            return Call(made.function, made.arg, made.at, alias)
        return made

    def _operand(self) -> Name | Call:
        token = self._word()
        if not self._take("("):
            return Name(tuple(token.text.split(".")), token.at)
        arg = None if self._is(")") else self._name()
        self._must(")")
        return Call(token.text.upper(), arg, token.at)

    def _name(self) -> Name:
        # ALL is a keyword elsewhere and an argument of FIELDS here.
        token = self._next() if self._is("ALL") else self._word()
        return Name(tuple(token.text.split(".")), token.at)

    def _order(self) -> Order:
        by = self._operand()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        nulls_first = True
        if self._take("NULLS"):
            nulls_first = self._take("FIRST")
            if not nulls_first:
                self._must("LAST")
        return Order(by, descending, nulls_first)

    def _condition(self) -> Condition:
        first = self._term()
        for op in ("AND", "OR"):
            if self._is(op):
                parts = [first]
                while self._take(op):
                    parts.append(self._term())
                # SOQL wants parentheses where AND and OR meet.
                if self._is("AND") or self._is("OR"):
                    raise self._wrong()
                return Logic(op, tuple(parts))
        return first

    def _term(self) -> Condition:
        if self._take("NOT"):
            return Not(self._term())
        if self._take("("):
            inner = self._condition()
            self._must(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        left = self._operand()
        token = self._now
        op = self._operator()
        right: Literal | tuple[Literal, ...] | Query
        if op not in _LISTS:
            return Comparison(left, op, self._literal(), token.at)
        self._must("(")
        if op.endswith("IN") and self._is("SELECT"):
            right = self._query(top=False)
        else:
            right = self._listed(self._literal)
        self._must(")")
        return Comparison(left, op, right, token.at)

    def _operator(self) -> str:
        if self._take("NOT", "IN"):
            return "NOT IN"
        token = self._next()
        op = {"<>": "!="}.get(token.text, token.text.upper())
        if op not in ("=", "!=", "<", "<=", ">", ">=", "LIKE", "IN", "INCLUDES", "EXCLUDES"):
            raise self._wrong(token)
        return op

    def _literal(self) -> Literal:
        token = self._next()
        if token.kind in ("string", "number", "date", "datetime", "range"):
            text = token.text[1:-1] if token.kind == "string" else token.text
            return Literal(token.kind, text, token.at)
        word = token.text.lower()
        if token.kind == "word" and word in ("true", "false"):
            return Literal("boolean", word, token.at)
        if token.kind == "word" and word == "null":
            return Literal("null", word, token.at)
        if token.kind == "word" and word not in _RESERVED and "." not in word:
            return Literal("range", token.text, token.at)
        raise self._wrong(token)
