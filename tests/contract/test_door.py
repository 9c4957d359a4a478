"""What the database itself lets be forgotten, and what not: the same on both databases."""

from collections.abc import Iterator
from typing import NoReturn

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from snapshot.database import writing
from snapshot.door import forgetting
from snapshot.triggers import GONE_REASON
from support.forgetting_rig import OFFICES, Office, lived

DIGEST = bytes(range(32))

FORGETTING = {
    "a payload": "UPDATE version SET payload = NULL WHERE payload IS NOT NULL",
    "a payload, leaving its digest": "UPDATE version SET payload = NULL, payload_gone = ?",
    "what the law kept": "UPDATE version SET kept = NULL, kept_gone = ?",
    "a full state": "UPDATE keyframe SET doc = NULL, doc_gone = ?",
    "values in clear text": "UPDATE change SET old = NULL, new = NULL",
    "a name": "UPDATE actor SET key = NULL, name = NULL, salt = NULL",
    "a step": "UPDATE plan_step SET expect = '{}', write = '{}', \"left\" = '{}', salt = NULL",
    "why a step is": "UPDATE plan_step SET reason = 'GONE', detail = '', before = '{}'",
}

REFUSED = {
    "another payload": "UPDATE version SET payload = ?",
    "another time": "UPDATE version SET at = 0",
    "another author": "UPDATE version SET actor_id = actor_id + 1, payload = NULL",
    "another kind": "UPDATE change SET kind = 1, old = NULL",
    "another value": "UPDATE change SET new = 'x'",
    "another state": "UPDATE keyframe SET doc = ?",
    "another codec": "UPDATE keyframe SET codec_id = 9",
    "another name": "UPDATE actor SET name = 'x'",
    "another digest of a name": "UPDATE actor SET digest = ?",
    "another step": 'UPDATE plan_step SET write = \'{"a":"1"}\'',
    "another reason": "UPDATE plan_step SET reason = 'because'",
    "another digest of a step": "UPDATE plan_step SET digest = ?",
    "another action": "UPDATE plan_step SET action = 'skip', write = '{}'",
    "a version": "DELETE FROM version",
    "a change": "DELETE FROM change",
    "a full state at all": "DELETE FROM keyframe",
    "an actor": "DELETE FROM actor",
    "a step at all": "DELETE FROM plan_step",
    "an entry": "UPDATE leaf SET entry = ?",
    "a hold": "UPDATE hold SET why = 'x'",
    "a hold at all": "DELETE FROM hold",
    "an end of a hold": "DELETE FROM hold_release",
    "what was forgotten": "DELETE FROM forgotten",
    "which parts were forgotten": "UPDATE forgotten SET what = 2",
    "an erasure": "DELETE FROM erasure",
    "an erasure's time": "UPDATE erasure SET at = 0",
    "an erasure's end": "UPDATE erasure SET finished = 0",
    "hashes": "UPDATE tile SET hashes = ? WHERE level = 0",
    "fewer hashes": "UPDATE tile SET hashes = substr(hashes, 1, 32) WHERE length(hashes) > 32",
    "a tile": "DELETE FROM tile",
}


@pytest.fixture(params=OFFICES)
def office(request, tmp_path) -> Iterator[Office]:
    with OFFICES[request.param](tmp_path) as made:
        lived(made)
        yield made


def do(connection: Connection, statement: str) -> None:
    said = statement.replace("'GONE'", f"'{GONE_REASON}'")
    connection.exec_driver_sql(said, (DIGEST,) * statement.count("?"))


def run(office: Office, statement: str) -> None:
    with writing(office.store.engine) as connection:
        do(connection, statement)


def forget_and_fail(connection: Connection) -> NoReturn:
    do(connection, FORGETTING["a payload"])
    raise ZeroDivisionError


@pytest.mark.parametrize("what", FORGETTING)
def test_only_an_open_door_lets_values_be_forgotten(office, what):
    with pytest.raises(DatabaseError):
        run(office, FORGETTING[what])
    with writing(office.store.engine) as connection, forgetting(connection, "test"):
        do(connection, FORGETTING[what])
    assert office.one("SELECT count(*) FROM door") == 0
    with pytest.raises(DatabaseError):  # shut again
        run(office, "UPDATE version SET payload = NULL, kept = NULL")


@pytest.mark.parametrize("what", REFUSED)
def test_an_open_door_lets_nothing_else_through(office, what):
    office.holds.release(office.holds.add("sf:Contact", why="w", by="a").id, why="w", by="a")
    office.forgetting.erase("sf:Contact:003OTHER", why="request", by="ana", anew=False)
    with (
        pytest.raises(DatabaseError),
        writing(office.store.engine) as connection,
        forgetting(connection, "test"),
    ):
        do(connection, REFUSED[what])
    office.verified()


def test_a_digest_is_left_once(office):
    with writing(office.store.engine) as connection, forgetting(connection, "test"):
        connection.exec_driver_sql(FORGETTING["a full state"], (DIGEST,))
    with (
        pytest.raises(DatabaseError),
        writing(office.store.engine) as connection,
        forgetting(connection, "test"),
    ):
        connection.exec_driver_sql("UPDATE keyframe SET doc_gone = ?", (DIGEST[::-1],))


def test_a_door_left_open_by_an_error_is_shut(office):
    with (
        pytest.raises(ZeroDivisionError),
        writing(office.store.engine) as connection,
        forgetting(connection, "test"),
    ):
        forget_and_fail(connection)
    assert office.one("SELECT count(*) FROM version WHERE payload IS NOT NULL") > 0
    with pytest.raises(DatabaseError):
        run(office, FORGETTING["a payload"])
