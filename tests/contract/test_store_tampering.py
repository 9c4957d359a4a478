"""Somebody with the file in hands: whatever is altered, verify names it.

Not here, because no ledger alone can tell it: cutting off the newest entries together with all
that hangs on them, or rewriting everything. For that a tree head has to lie outside.
"""

from hashlib import sha256

import pytest

from crmtrail.model import IncidentState
from snapshot.database import writing
from snapshot.packing import packed
from snapshot.triggers import FORGETFUL, INSERT_ONLY
from support.readings import BOB, OBJECT, SOURCE, T0, at, reading, removal
from support.store_rig import Watching, sql_rig

FORGED = (
    "INSERT INTO version SELECT {version}, object_id, record_id, {number}, op, deleted, actor_id,"
    " at, known_at, since, run_id, operation_id, plan_id, note, payload, payload_gone, kept,"
    " kept_gone FROM version WHERE version_id = 2"
)
FORGED_RUN = (
    "INSERT INTO sync_run SELECT 7, object_id, mode, state, started, finished, api_calls, read,"
    " created, updated, deleted, changes, detail, NULL, NULL, NULL, NULL, NULL, NULL FROM sync_run"
)
FORGED_INCIDENT = (
    "INSERT INTO incident SELECT 'inc-forged', 'other', operation_id, state, severity, title, why,"
    " records, fields, evidence, opened_at, seen_at FROM incident"
)


CUT = "UPDATE tile SET hashes = CAST({} AS BLOB) WHERE level = 0"
OF_A = ("version", 2, "003A")
OF_B = ("version", 1, "003B")


@pytest.fixture
def rig(tmp_path):
    with sql_rig(tmp_path) as made:
        made.keep(
            reading("003A", {"Phone": "1", "Fax": "1"}), reading("003B", {"Phone": "2"}, modified=3)
        )
        made.keep(
            reading("003A", {"Phone": "9", "Fax": "1"}, modified=20, actor=BOB),
            removal("003B", read=30, when=25),
            notice=Watching("op-1", rule="any"),
        )
        made.store.finish(made.run, state="done", at=at(60), api_calls=2)
        yield made


def alter(rig, *statements: str) -> None:
    """Change the file as its owner can: without triggers and foreign keys."""
    engine = rig.store.engine
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # this pragma only works outside transactions
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("BEGIN")
        for table in (*INSERT_ONLY, *FORGETFUL, "tile"):
            for suffix in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_never_{suffix}")
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount > 0
        connection.commit()
        connection.invalidate()


def test_untouched_is_fine(rig):
    told = rig.store.verify()
    assert (told.ok, told.entries, told.first_bad) == (True, 6, {})
    assert told.checked == 8
    assert told.root == rig.store.checkpoint(T0).root


@pytest.mark.parametrize(
    ("statement", "kind", "index", "record"),
    [
        ("UPDATE version SET at = at + 1 WHERE version_id = 2", "version", 2, "003A"),
        ("UPDATE version SET known_at = known_at + 1 WHERE version_id = 2", "version", 2, "003A"),
        ("UPDATE version SET actor_id = 1 WHERE version_id = 2", "version", 2, "003A"),
        ("UPDATE version SET op = 'restore' WHERE version_id = 2", "version", 2, "003A"),
        ("UPDATE version SET since = since + 1 WHERE version_id = 2", "version", 2, "003A"),
        ("UPDATE version SET note = '{}' WHERE version_id = 3", "version", 3, "003B"),
        ("UPDATE version SET payload = x'00' WHERE version_id = 2", "version", 2, "003A"),
        ("UPDATE version SET kept = x'00' WHERE version_id = 2", "version", 2, "003A"),
        ("UPDATE version SET deleted = 0 WHERE version_id = 3", "version", 3, "003B"),
        ("UPDATE version SET operation_id = NULL WHERE version_id = 2", "version", 2, "003A"),
        ("UPDATE keyframe SET doc = x'00' WHERE version_id = 1", "version", 1, "003B"),
        ("UPDATE change SET kind = kind + 8", "version", 2, "003A"),
        ("UPDATE version SET record_id = 2, number = 9 WHERE version_id = 2", "version", 2, "003B"),
        ("DELETE FROM version WHERE version_id = 1", "entry", 1, None),
        ("UPDATE change SET old = '\"0\"'", "version", 2, "003A"),
        ("UPDATE change SET new = '\"0\"'", "version", 2, "003A"),
        ("DELETE FROM change", "version", 2, "003A"),
        ("UPDATE field SET name = 'Mobile' WHERE name = 'Phone'", "version", 2, "003A"),
        ("UPDATE actor SET name = 'Eve' WHERE name = 'Bob Noyce'", "actor", None, None),
        ("UPDATE actor SET via = 'Eve' WHERE name = 'Bob Noyce'", "actor", None, None),
        ("UPDATE actor SET digest = zeroblob(32) WHERE name = 'Bob Noyce'", "version", 2, "003A"),
        ("UPDATE actor SET ext_id = '005X' WHERE name = 'Bob Noyce'", "version", 2, "003A"),
        ("UPDATE record SET ext_id = '003Z' WHERE ext_id = '003B'", "version", 1, "003Z"),
        ("UPDATE object SET source = 'hs'", "version", 0, "003A"),
        ("UPDATE leaf SET entry = CAST(entry || ' ' AS BLOB) WHERE idx = 4", "entry", 4, None),
        ("INSERT INTO leaf VALUES (1, 'run', x'7b226b696e64223a2272756e227d')", *OF_B),
        ("INSERT INTO leaf VALUES (77, 'run', x'7b226b696e64223a2272756e227d')", "entry", 77, None),
        ("UPDATE leaf SET entry = x'7b7d' WHERE idx = 4", "entry", 4, None),
        ("UPDATE leaf SET kind = 'run' WHERE idx = 4", "entry", 4, None),
        ("DELETE FROM leaf WHERE idx = 4", "entry", 4, None),
        (CUT.format("substr(hashes, 1, 32) || zeroblob(32) || substr(hashes, 65)"), *OF_B),
        (CUT.format("substr(hashes, 1, 64) || substr(hashes, 97) || zeroblob(32)"), *OF_A),
        (
            "UPDATE record SET modified_at = modified_at + 1 WHERE record_id = 1",
            "record",
            2,
            "003A",
        ),
        ("UPDATE record SET edited_at = edited_at + 1 WHERE record_id = 1", "record", 2, "003A"),
        ("UPDATE record SET known_at = 0 WHERE record_id = 1", "record", 2, "003A"),
        ("UPDATE record SET seen = zeroblob(16) WHERE record_id = 1", "record", 2, "003A"),
        ("UPDATE record SET operation_id = NULL WHERE record_id = 1", "record", 2, "003A"),
        ("UPDATE record SET keyframe = 1 WHERE record_id = 1", "record", 1, "003A"),
        ("UPDATE record SET since = 0 WHERE record_id = 1", "record", 0, "003A"),
        ("UPDATE record SET deleted = 0 WHERE record_id = 2", "record", 3, "003B"),
        ("UPDATE record SET number = 1 WHERE record_id = 1", "record", 0, "003A"),
        ("UPDATE record SET object_id = 99 WHERE record_id = 2", "version", None, None),
        ("INSERT INTO change VALUES (1, 1, 2, NULL, '\"forged\"')", "version", 1, "003B"),
        ("INSERT INTO change VALUES (1, 99, 2, NULL, '\"forged\"')", "version", None, None),
        ("INSERT INTO change VALUES (77, 1, 2, NULL, '\"forged\"')", "change", 77, None),
        (
            "INSERT INTO keyframe (version_id, codec_id, sealed, doc) VALUES (77, 0, 0, x'00')",
            "keyframe",
            77,
            None,
        ),
        ("UPDATE sync_run SET deleted = 0", "run", 5, None),
        ("UPDATE sync_run SET state = 'failed'", "run", 5, None),
        ("UPDATE sync_run SET finished = finished + 1", "run", 5, None),
        ("DELETE FROM sync_run", "run", 5, None),
        (FORGED_RUN, "run", None, None),
        ("UPDATE incident SET title = 'nothing to see'", "incident", 4, None),
        ("UPDATE incident SET why = ''", "incident", 4, None),
        ("UPDATE incident SET evidence = '{}'", "incident", 4, None),
        ("UPDATE incident SET records = 9", "incident", 4, None),
        ("UPDATE incident SET severity = 'low'", "incident", 4, None),
        ("UPDATE incident SET opened_at = opened_at - 1", "incident", 4, None),
        ("UPDATE incident SET seen_at = seen_at - 1", "incident", 4, None),
        ("UPDATE incident SET state = 'resolved'", "incident", 4, None),
        ("UPDATE incident SET state = 'odd'", "incident", 4, None),
        ("UPDATE actor SET kind = 'odd'", "version", 0, "003A"),
        ("DELETE FROM incident", "incident", 4, None),
        (FORGED_INCIDENT, "incident", None, None),
        (FORGED.format(version=4, number=7), "version", 4, "003A"),
        (FORGED.format(version=99, number=3), "record", 2, "003A"),
        ("DELETE FROM keyframe WHERE version_id = 0", "version", 0, "003A"),
    ],
)
def test_what_was_altered_is_named(rig, statement, kind, index, record):
    alter(rig, statement)
    told = rig.store.verify()
    assert not told.ok
    named = record and f"{SOURCE}:{OBJECT}:{record}".replace("sf", told.first_bad["record"][:2])
    assert (told.first_bad["kind"], told.first_bad["index"]) == (kind, index)
    assert told.first_bad["record"] == named
    assert told.first_bad["why"]


def test_a_move_of_an_incident_is_held_against_its_entry(rig):
    [incident] = rig.store.incidents()
    rig.store.mark(incident.id, IncidentState.RESOLVED, at(90))
    assert rig.store.verify().ok
    alter(rig, "UPDATE incident SET state = 'new'")
    told = rig.store.verify().first_bad
    assert (told["kind"], told["index"]) == ("incident", 4)
    assert "is new, but resolved was sealed" in told["why"]


def test_a_value_taken_away_without_an_entry_that_says_so_is_named(rig):
    text = packed([('"1"', '"9"')]).encode()
    alter(
        rig,
        "UPDATE change SET old = NULL, new = NULL",
        "UPDATE version SET payload_gone = x'GONE' WHERE version_id = 2".replace(
            "GONE", sha256(text).hexdigest()
        ),
    )
    assert not rig.store.verify().ok


def test_a_cut_off_end_shows_against_a_tree_head_kept_outside(rig):
    outside = rig.store.checkpoint(T0)
    alter(rig, "DELETE FROM leaf WHERE idx = 5", CUT.format("substr(hashes, 1, 160)"))
    told = rig.store.verify()
    assert (told.entries, told.root) != (outside.size, outside.root)
    assert told.first_bad["kind"] == "run", "the run itself is still there, unsealed"
    alter(rig, "DELETE FROM sync_run", "UPDATE version SET run_id = NULL")
    told = rig.store.verify()
    assert told.ok
    assert (told.entries, told.root) != (outside.size, outside.root)


def test_verify_reads_beside_a_writer(rig):
    with writing(rig.store.engine) as connection:
        connection.exec_driver_sql("UPDATE position SET cursor = 'busy'")
        assert rig.store.verify().ok
