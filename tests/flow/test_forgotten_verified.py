"""`verify` tells what was forgotten lawfully from what somebody took away, or brought back."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Connection

from rollback import audit
from snapshot.database import writing
from snapshot.heads import checksum
from snapshot.triggers import GONE_REASON
from support.forgetting_rig import OTHER, PERSON, Office, lived, sqlite_office

BLANKED = (
    "UPDATE plan_step SET salt = NULL, write = '{}', expect = '{}', left = '{}',"
    " reason = 'GONE' WHERE no = 2"
).replace("GONE", GONE_REASON)
HELD = "sf:Contact:003HELD"


@pytest.fixture
def office(tmp_path) -> Iterator[Office]:
    with sqlite_office(tmp_path) as made:
        lived(made)
        made.holds.add(str(OTHER), why="case 9", by="ana")
        made.holds.release(made.holds.add(HELD, why="case 8", by="ana").id, why="won", by="ben")
        made.forgetting.erase(str(PERSON), why="request 7", by="ana")
        made.verified()
        yield made


def alter(office: Office, *statements: str, values: tuple[Any, ...] = ()) -> None:
    """Change the file as its owner can: without triggers."""
    with writing(office.store.engine) as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for name in names.scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.exec_driver_sql(statement, values)


def found(office: Office) -> str:
    told = office.store.verify()
    assert not told.ok
    return f"{told.first_bad['kind']}: {told.first_bad['why']}"


def empty_lawfully_looking(connection: Connection) -> None:
    """Take away another's values as an erasure would, digest and all, but without an entry."""
    rows = connection.exec_driver_sql(
        "SELECT v.version_id, v.payload FROM version AS v JOIN record AS r USING (record_id)"
        " WHERE r.ext_id = ? AND v.payload IS NOT NULL",
        (OTHER.id,),
    ).all()
    assert rows
    for version_id, payload in rows:
        connection.exec_driver_sql(
            "UPDATE version SET payload = NULL, payload_gone = ? WHERE version_id = ?",
            (sha256(payload).digest(), version_id),
        )


def test_values_that_went_missing_are_no_erasure(office):
    alter(office)
    with writing(office.store.engine) as connection:
        empty_lawfully_looking(connection)
    assert found(office).startswith("forgotten: a value is gone")


def test_nor_if_the_rows_say_so(office):
    alter(office)
    with writing(office.store.engine) as connection:
        empty_lawfully_looking(connection)
        connection.exec_driver_sql(
            "INSERT INTO forgotten (version_id, leaf, what) SELECT v.version_id, e.leaf, 1"
            " FROM version AS v CROSS JOIN erasure AS e"
            " WHERE v.payload_gone IS NOT NULL ON CONFLICT DO NOTHING"
        )
    assert found(office) == "forgotten: what the erase forgot is not what was sealed"


def test_nor_if_they_name_another_action(office):
    alter(office)
    with writing(office.store.engine) as connection:
        empty_lawfully_looking(connection)
        connection.exec_driver_sql(
            "INSERT INTO forgotten (version_id, leaf, what) SELECT version_id, 0, 1"
            " FROM version WHERE payload_gone IS NOT NULL ON CONFLICT DO NOTHING"
        )
    assert "by what no entry tells of" in found(office)


def test_a_full_state_that_went_missing_is_no_erasure(office):
    alter(office)
    with writing(office.store.engine) as connection:
        version_id, doc = connection.exec_driver_sql(
            "SELECT version_id, doc FROM keyframe WHERE doc IS NOT NULL LIMIT 1"
        ).one()
        connection.exec_driver_sql(
            "UPDATE keyframe SET doc = NULL, doc_gone = ? WHERE version_id = ?",
            (sha256(doc).digest(), version_id),
        )
    assert found(office).startswith("forgotten: a full state is gone")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE record SET erased_at = 1", "marked as erased, but no entry says so"),
        ("DELETE FROM erasure", "the row of an erasure is missing"),
        ("DELETE FROM forgotten", "a value is gone"),
        ("UPDATE actor SET key = NULL, name = NULL, salt = NULL", "the name of actor"),
        ("UPDATE hold SET why = 'other'", "hold 1 is not what was sealed"),
        ("DELETE FROM hold WHERE hold_id = 1", "a hold, or its end, is missing"),
        ("DELETE FROM hold_release", "a hold, or its end, is missing"),
        ("UPDATE hold_release SET by = 'ana'", "the end of hold 2 is not what was sealed"),
        ("UPDATE incident SET title = 'nothing at all'", "is not what was sealed"),
    ],
)
def test_what_was_done_along_with_it_is_held_against_the_ledger(office, statement, why):
    alter(office, statement)
    assert why in found(office)


@pytest.mark.parametrize(
    "statement",
    [
        BLANKED,
        "UPDATE plan_step SET salt = NULL WHERE no = 2",
        'UPDATE plan_step SET write = \'{"Phone":"1"}\' WHERE no = 1',
        "UPDATE plan_step SET reason = 'because' WHERE no = 1",
        "UPDATE plan_step SET digest = zeroblob(32) WHERE no = 1",
    ],
)
def test_a_plan_s_step_is_forgotten_with_its_record_only(office, statement):
    assert audit.first_bad(office.store.engine) is None
    alter(office, statement)
    assert audit.first_bad(office.store.engine)["kind"] == "plan"


def test_an_erased_record_stays_marked_as_such(office):
    head = (
        "SELECT modified_at, edited_at, history_to, operation_id, keyframe, since, key_id"
        " FROM record WHERE ext_id = ?"
    )
    alter(office)
    with writing(office.store.engine) as connection:
        row = connection.exec_driver_sql(head, (PERSON.id,)).one()
        connection.exec_driver_sql(
            "UPDATE record SET erased_at = NULL, sound = ? WHERE ext_id = ?",
            (checksum((*row, b"")), PERSON.id),
        )
    assert found(office) == f"forgotten: {PERSON} was erased, and is not marked as such any more"


def test_what_was_erased_cannot_be_put_in_again(office):
    alter(
        office,
        "UPDATE change SET new = '\"x\"' WHERE version_id ="
        " (SELECT v.version_id FROM version AS v JOIN record AS r USING (record_id)"
        " WHERE r.ext_id = ? ORDER BY v.number DESC LIMIT 1)",
        values=(PERSON.id,),
    )
    assert found(office) == "forgotten: a value is there that the store says is forgotten"
