"""SQLite's words turned into PostgreSQL's: the text of the statements alone."""

import re

import pytest

from snapshot.translating import REFUSED, translated, translated_condition

EACH_TEXT = (
    "(SELECT e.value AS value, e.key - 1 AS key"
    " FROM json_array_elements_text(%s::json) WITH ORDINALITY AS e(value, key))"
)
EACH_WHOLE = EACH_TEXT.replace("e.value AS", "e.value::bigint AS")
EACH_PLACE = EACH_TEXT.replace("elements_text", "elements")


@pytest.mark.parametrize(
    "same",
    [
        "SELECT max(idx) FROM leaf",
        "SELECT a FROM b CROSS JOIN c WHERE d IS NOT NULL AND e IS NULL AND f IS NOT TRUE",
        "SELECT a + b, -c FROM d ORDER BY e DESC NULLS LAST",
        "UPDATE t SET a = excluded.a",
    ],
)
def test_what_both_know_stays(same):
    assert translated(same) == same


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("a = ? AND b IN (?,?)", "a = %s AND b IN (%s,%s)"),
        ("a % 10 = ? AND b = 'what? 5%'", "a %% 10 = %s AND b = 'what? 5%%'"),
        ("a = 'it''s ?' AND \"odd?\" = ?", "a = 'it''s ?' AND \"odd?\" = %s"),
        ("$$ it's a ? $$, ?", "$$ it's a ? $$, %s"),
        ("-- why?\n? /* why? */", "-- why?\n%s /* why? */"),
    ],
)
def test_values_are_bound_by_the_drivers_mark(sqlite, postgres):
    assert translated(sqlite) == postgres


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        (
            "json_each(?) AS j CROSS JOIN b ON b.id = j.value",
            f"{EACH_WHOLE} AS j JOIN b ON b.id = j.value",
        ),
        ("json_each(?) AS t", f"{EACH_TEXT} AS t"),
        ("json_each(?) AS t2", f"{EACH_TEXT} AS t2"),
        ("json_each(?) AS p LEFT JOIN b", f"{EACH_PLACE} AS p LEFT JOIN b"),
        ("json_extract(p.value, '$[1]')", "(p.value ->> 1)::bigint"),
        ("json_extract(p.value, '$.plan')", "(p.value ->> 'plan')"),
    ],
)
def test_a_list_has_the_type_that_its_alias_tells(sqlite, postgres):
    assert translated(sqlite) == postgres


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("a CROSS JOIN b ON b.x = a.x WHERE c", "a JOIN b ON b.x = a.x WHERE c"),
        ("a CROSS JOIN b USING (x)", "a JOIN b USING (x)"),
        ("a CROSS JOIN b CROSS JOIN c ON c.x = b.x", "a CROSS JOIN b JOIN c ON c.x = b.x"),
        (
            "(SELECT 1 FROM a CROSS JOIN b) AS x JOIN c ON x.y = c.y",
            "(SELECT 1 FROM a CROSS JOIN b) AS x JOIN c ON x.y = c.y",
        ),
        (
            "a CROSS JOIN (SELECT 1 FROM b JOIN d ON d.x = b.x) AS e ON e.x = a.x",
            "a JOIN (SELECT 1 FROM b JOIN d ON d.x = b.x) AS e ON e.x = a.x",
        ),
        ("version AS v INDEXED BY version_valid WHERE a", "version AS v WHERE a"),
        ("WHERE +v.at > ? AND a = +b AND c + d > 1", "WHERE v.at > %s AND a = b AND c + d > 1"),
    ],
)
def test_hints_for_sqlites_planner_go(sqlite, postgres):
    assert translated(sqlite) == postgres


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("a IS ?", "a IS NOT DISTINCT FROM %s"),
        ("a IS NOT b", "a IS DISTINCT FROM b"),
        ("a is not\n?", "a IS DISTINCT FROM\n%s"),
        ("? IS NULL OR a IS NOT NULL", "%s IS NULL OR a IS NOT NULL"),
    ],
)
def test_sameness_of_values_that_may_be_missing(sqlite, postgres):
    assert translated(sqlite) == postgres


def test_the_smaller_of_two_is_unknown_where_one_is():
    assert translated("SELECT min(a, coalesce(b, ?)), min(c) FROM d") == (
        "SELECT (SELECT CASE WHEN num_nulls(x0, x1) = 0 THEN least(x0, x1) END"
        " FROM (VALUES ((a)::bigint, (coalesce(b, %s))::bigint)) AS m(x0, x1)), min(c) FROM d"
    )


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("iif(a < ?, ifnull(b, 0), c)", "CASE WHEN a < %s THEN coalesce(b, 0) ELSE c END"),
        ("INSERT OR IGNORE INTO a VALUES (?)", "INSERT INTO a VALUES (%s) ON CONFLICT DO NOTHING"),
        (
            "INSERT OR IGNORE INTO a VALUES (?) RETURNING b",
            "INSERT INTO a VALUES (%s)  ON CONFLICT DO NOTHING RETURNING b",
        ),
        (
            "CREATE TEMP TABLE a (b TEXT PRIMARY KEY, c INTEGER, d BLOB) WITHOUT ROWID",
            "CREATE TEMP TABLE a (b TEXT PRIMARY KEY, c bigint, d bytea)",
        ),
        ("DROP TABLE temp.a", "DROP TABLE pg_temp.a"),
        ("CAST(a AS INTEGER)", "CAST(a AS bigint)"),
    ],
)
def test_other_words(sqlite, postgres):
    assert translated(sqlite).split() == postgres.split()


@pytest.mark.parametrize(
    "sqlite",
    [
        "SELECT rowid FROM a",
        "a GLOB 'b*'",
        "a LIKE ?",
        "INSERT OR REPLACE INTO a VALUES (1)",
        "SELECT group_concat(a) FROM b",
        "SELECT total(a) FROM b",
        "PRAGMA page_count",
    ],
)
def test_what_has_no_equal_is_refused_with_a_word_on_what_to_say(sqlite):
    with pytest.raises(ValueError, match=r"SQLite's alone: \w+"):
        translated(sqlite)


def test_a_word_that_is_refused_may_stand_in_a_text_or_a_name():
    assert translated("SELECT 'rowid', \"like\" FROM a") == "SELECT 'rowid', \"like\" FROM a"
    assert all(word == word.upper() for word in REFUSED)


@pytest.mark.parametrize("sqlite", ["json_each(?)", "json_each(?) AS x", "json_each(?) AS texts"])
def test_a_list_without_a_type_is_refused(sqlite):
    with pytest.raises(ValueError, match="needs the alias"):
        translated(sqlite)


def test_a_path_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=re.escape("'$[0].a'")):
        translated("SELECT json_extract(p.value, '$[0].a') FROM json_each(?) AS p")


def test_a_bracket_that_is_not_closed_is_refused():
    with pytest.raises(ValueError, match="bracket"):
        translated("SELECT max(a, b")


def test_conditions_of_tables_are_turned_and_nothing_else_of_them():
    assert translated_condition(
        'CHECK (old IS NOT new), CHECK (json_valid("a")), "b" INTEGER %%'
    ) == (
        'CHECK (old IS DISTINCT FROM new), CHECK (("a" IS NULL OR ("a")::json IS NOT NULL)),'
        ' "b" INTEGER %%'
    )
