"""What the vendor refuses of queries of some objects, whoever asks."""

from collections.abc import Iterator

from crmtrail.sandbox.salesforce.refusal import Refusal
from crmtrail.sandbox.salesforce.schema import SObject
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

_LINK = "ContentDocumentLink"
_LINK_WORDS = (
    "Implementation restriction: ContentDocumentLink requires a filter by a single Id on"
    " ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN"
    " operator."
)
_WINDOW = ("=", "<", "<=", ">", ">=")
_WHEN, _WHICH = "eventdate", "eventidentifier"


def narrowed(sobject: SObject, query: Query, *, all_files: bool = False) -> None:
    """Check that a statement asks an object only what it answers.

    Raises:
        Refusal: an object that no query reaches, a missing filter, or more than a big object can.
    """
    if not sobject.queryable:
        raise refuse(
            "INVALID_TYPE_FOR_OPERATION", query.text, query.at,
            f"entity type {sobject.name} does not support query",
        )  # fmt: skip
    if sobject.needs and not (all_files and sobject.name == _LINK):
        _needed(sobject, query)
    if sobject.big:
        _big(query)


def _needed(sobject: SObject, query: Query) -> None:
    pinned = set(_pinned(query.where))
    if sobject.name == "UserRecordAccess":
        met = all(name.lower() in pinned for name in sobject.needs)
    else:
        met = any(name.lower() in pinned for name in sobject.needs)
    if met:
        return
    if sobject.name == _LINK:
        raise Refusal("MALFORMED_QUERY", _LINK_WORDS)
    joined = (" and " if sobject.name == "UserRecordAccess" else " or ").join(sobject.needs)
    raise Refusal(
        "MALFORMED_QUERY",
        f"Implementation restriction: {sobject.name} requires a filter on {joined} using the equals"
        " operator or the IN operator.",
    )


def _pinned(condition: Condition | None) -> Iterator[str]:
    """Yield the fields that a condition ties to values, whatever else it says."""
    if isinstance(condition, Logic):
        if condition.op == "AND":
            for part in condition.parts:
                yield from _pinned(part)
    elif isinstance(condition, Comparison) and condition.op in ("=", "IN"):
        empty = isinstance(condition.right, Literal) and condition.right.kind == "null"
        if isinstance(condition.left, Name) and not empty:
            yield ".".join(condition.left.parts).lower()


def _big(query: Query) -> None:
    """Check the little a big object answers: a window of time, the newest first."""
    if query.group or any(isinstance(item, Call | Query) for item in query.select):
        raise _not_big(query, query.at, "does not support aggregates, functions or subqueries")
    for test in _tests(query.where, query):
        name = test.left.parts[-1].lower() if isinstance(test.left, Name) else ""
        if name == _WHEN and test.op in _WINDOW:
            continue
        if name == _WHICH and test.op in ("=", "IN"):
            continue
        raise _not_big(query, test.at, "can be filtered only by EventDate and EventIdentifier")
    for term in query.order:
        if not _newest_first(term):
            raise _not_big(query, query.at, "can be sorted only by EventDate in descending order")
    if query.offset:
        raise _not_big(query, query.at, "does not support OFFSET")


def _tests(condition: Condition | None, query: Query) -> Iterator[Comparison]:
    if isinstance(condition, Logic):
        if condition.op == "OR":
            raise _not_big(query, query.at, "does not support OR")
        for part in condition.parts:
            yield from _tests(part, query)
    elif isinstance(condition, Not):
        raise _not_big(query, query.at, "does not support NOT")
    elif condition is not None:
        yield condition


def _newest_first(term: Order) -> bool:
    return isinstance(term.by, Name) and term.by.parts[-1].lower() == _WHEN and term.descending


def _not_big(query: Query, at: int, what: str) -> Refusal:
    return refuse("MALFORMED_QUERY", query.text, at, f"{query.source} {what}")
