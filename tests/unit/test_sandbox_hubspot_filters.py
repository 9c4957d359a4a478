"""Search filters as SQL, run against a table of their own, and the token test."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmtrail.sandbox.hubspot import filters
from crmtrail.sandbox.hubspot.object_types import object_type
from crmtrail.sandbox.hubspot.refusal import Refusal
from crmtrail.sandbox.hubspot.schema import Schema
from crmtrail.sandbox.world import World

CONTACTS = object_type("contacts")


@pytest.fixture
def schema() -> Iterator[Schema]:
    world = World()
    schema = Schema(world)
    schema.create()
    yield schema
    world.db.close()


def matching(schema: Schema, documents: list[str], filter_: dict[str, Any]) -> list[int]:
    """Return the places of the documents that a filter lets through."""
    condition = filters.condition(schema, CONTACTS, filter_)
    db = sqlite3.connect(":memory:")
    db.create_function("hs_has_token", 2, filters.has_token, deterministic=True)
    db.execute("CREATE TABLE shown(id INTEGER PRIMARY KEY, modified, handle, doc)")
    db.executemany("INSERT INTO shown(id, doc) VALUES (?,?)", enumerate(documents))
    rows = db.execute(f"SELECT id FROM shown WHERE {condition.sql} ORDER BY id", condition.bound)  # noqa: S608 -- the condition is what is under test
    found = [id_ for (id_,) in rows]
    db.close()
    return found


def test_numbers_compare_as_numbers_not_as_texts(schema: Schema) -> None:
    scores = ['{"credit_score":"9"}', '{"credit_score":"10"}', '{"credit_score":"100.5"}', "{}"]
    test = {"propertyName": "credit_score", "operator": "GT", "value": "9"}

    assert matching(schema, scores, test) == [1, 2]


def test_one_of_several_choices_is_enough(schema: Schema) -> None:
    chosen = ['{"interests":"analytics;reporting"}', '{"interests":"reporting"}', "{}"]
    equal = {"propertyName": "interests", "operator": "EQ", "value": "analytics"}
    other = {"propertyName": "interests", "operator": "NEQ", "value": "analytics"}

    assert matching(schema, chosen, equal) == [0]
    assert matching(schema, chosen, other) == [1, 2]


def test_what_is_missing_is_in_no_list(schema: Schema) -> None:
    cities = ['{"city":"Oslo"}', '{"city":"Rome"}', "{}"]
    inside = {"propertyName": "city", "operator": "IN", "values": ["oslo"]}
    outside = {"propertyName": "city", "operator": "NOT_IN", "values": ["oslo"]}

    assert matching(schema, cities, inside) == [0]
    assert matching(schema, cities, outside) == [1, 2]


def test_an_undefined_or_sensitive_property_holds_nothing(schema: Schema) -> None:
    documents = ['{"tax_number":"5","shoe":"5"}']
    for name in ("tax_number", "shoe"):
        has = {"propertyName": name, "operator": "HAS_PROPERTY"}
        hasnt = {"propertyName": name, "operator": "NOT_HAS_PROPERTY"}
        assert matching(schema, documents, has) == []
        assert matching(schema, documents, hasnt) == [0]


def test_a_value_never_becomes_sql(schema: Schema) -> None:
    evil = {"propertyName": "city", "operator": "EQ", "value": "x' OR 1=1 --"}
    named = {"propertyName": "city') OR 1=1 --", "operator": "EQ", "value": "x"}

    assert matching(schema, ['{"city":"Oslo"}'], evil) == []
    assert matching(schema, ['{"city":"Oslo"}'], named) == []


@pytest.mark.parametrize("value", ["", None, "many"])
def test_a_number_filter_needs_a_number(schema: Schema, value: object) -> None:
    test = {"propertyName": "credit_score", "operator": "GT", "value": value}

    with pytest.raises(Refusal, match=r"required|not a valid number") as refused:
        filters.condition(schema, CONTACTS, test)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("Ana Maria Silva", "maria", True),
        ("Ana Maria Silva", "MARIA SILVA", True),
        ("Ana Maria Silva", "ana silva", False),
        ("Ana Maria Silva", "mar", False),
        ("Ana Maria Silva", "mar*", True),
        ("Ana Maria Silva", "*ria", True),
        ("ana@north.example", "north", True),
        ("ana@north.example", "*@north.example", True),
        ("anything", "", False),
        (None, "x", False),
    ],
)
def test_tokens(text: str | None, pattern: str, found: bool) -> None:
    assert bool(filters.has_token(text, pattern)) is found


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=6), st.data())
def test_every_word_of_a_text_is_a_token_of_it(words: list[str], data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(words))

    assert filters.has_token(", ".join(words), word)
    assert filters.has_token(" ".join(words), word[:1] + "*")
