"""The auditor's program over whole stores: sealed, changed, forgotten, and altered ones."""

from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from snapshot.auditor import verify as auditor
from snapshot.database import DRIVER
from snapshot.erasing import Forgetting
from snapshot.evidence import Evidence
from snapshot.notes import Head
from snapshot.signing import KeyRing, SigningKey
from support.full_store import full_store
from support.readings import HandClock, at

RING = KeyRing(SigningKey("acme.example/crmtrail", bytes(32)))
KEY = str(RING.current.public)
CLOCK = HandClock(at(3_600))


@pytest.fixture
def store(tmp_path):
    with full_store(tmp_path) as made:
        yield made


def erase(store):
    return Forgetting(store.engine, store.shelf, CLOCK).erase("sf:Contact:007", why="r1", by="ana")


def empty_note(size):
    return str(RING.sign(str(Head(RING.origin, size, bytes(32)))))


class Scene:
    """A store's file and a checkpoint of it, as an auditor gets them."""

    def __init__(self, store, folder: Path) -> None:
        self.path = folder / "crmtrail.db"
        self.notes = folder / "notes.txt"
        self.note = Evidence(store.engine, RING, CLOCK).checkpoint()[1]
        self.notes.write_text(self.note)

    def told(self) -> str:
        return auditor.check_store(self.path, self.notes.read_text(), auditor.keys_of(KEY))

    def alter(self, *statements: str) -> None:
        with closing(DRIVER.connect(self.path, isolation_level=None)) as raw:
            triggers = raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (name,) in triggers.fetchall():
                raw.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                raw.execute(statement)


def test_a_store_is_recomputed_without_any_key(store, tmp_path):
    told = Scene(store, tmp_path).told()
    assert told.startswith(f"all {store.checkpoint(at(0)).size} entries")
    assert "0 values were forgotten lawfully; entries of kind erase/retention: 0" in told


def test_forgotten_values_are_accepted_as_digests_and_counted(store, tmp_path):
    before = Scene(store, tmp_path)
    erased = Forgetting(store.engine, store.shelf, CLOCK).erase(
        "sf:Contact:007", why="r1", by="ana"
    )
    told = before.told()  # the old checkpoint still holds
    # Its version of an update, and the full state of its first sight.
    assert erased.versions == 2
    assert "2 values were forgotten lawfully; entries of kind erase/retention: 1" in told


ALTERED = {
    "a sealed value": (
        "UPDATE version SET payload = (SELECT payload FROM version"
        " WHERE number = 2 AND record_id = 2) WHERE number = 2 AND record_id = 1"
    ),
    "a clear value": "UPDATE change SET new = '\"x\"' WHERE old IS NOT NULL AND new IS NOT NULL",
    "a value beside a sealed one": (
        "UPDATE change SET old = '\"forged\"' WHERE version_id ="
        " (SELECT min(version_id) FROM version WHERE payload IS NOT NULL)"
    ),
    "a record in full": "UPDATE keyframe SET doc = zeroblob(99) WHERE version_id = 5",
    "a time": "UPDATE version SET at = at + 1 WHERE version_id = 3",
    "when it was seen before": "UPDATE version SET since = 5 WHERE number = 2",
    "an operation": "UPDATE version SET operation_id = 'op-Contact' WHERE version_id = 3",
    "the kind of a change": "UPDATE change SET kind = 3",
    "who an actor is": "UPDATE actor SET ext_id = 'eve' WHERE ext_id = '005B'",
    "an actor's name": "UPDATE actor SET name = 'Eve' WHERE name IS NOT NULL",
    "an actor in full": "UPDATE actor SET key = replace(key, 'Bob', 'Eve')",
    "an actor's digest": "UPDATE actor SET digest = zeroblob(32)",
    "a record's id": "UPDATE record SET ext_id = 'eve' WHERE record_id = 4",
    "a field's name": "UPDATE field SET name = 'Fax' WHERE name = 'Phone'",
    "that a record is deleted": "UPDATE record SET deleted = 0",
    "an entry": "UPDATE leaf SET entry = zeroblob(20) WHERE kind = 'run'",
    "an entry's time": (
        "UPDATE leaf SET entry = CAST(replace(entry, '2026', '2027') AS BLOB) WHERE kind = 'run'"
    ),
    "a codec": "UPDATE codec SET dictionary = x'00'",
    "whose a codec is": "UPDATE codec SET object_id = 3 - object_id",
    "a missing version": "DELETE FROM version WHERE version_id = 7",
    "a missing entry": "DELETE FROM leaf WHERE idx = (SELECT max(idx) FROM leaf)",
    "a missing change": (
        "DELETE FROM change WHERE version_id = (SELECT max(version_id) FROM change)"
    ),
    "a leaf of the tree": "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 0",
    "a leaf too many": (
        "UPDATE tile SET hashes = CAST(hashes || zeroblob(32) AS BLOB) WHERE level = 0 AND idx = 1"
    ),
    "a value that went": (
        "UPDATE keyframe SET doc_gone = zeroblob(32), doc = NULL WHERE version_id = 5"
    ),
}


@pytest.mark.parametrize("what", ALTERED)
def test_whatever_was_altered_is_refuted(store, tmp_path, what):
    scene = Scene(store, tmp_path)
    scene.alter("PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON", ALTERED[what])
    with pytest.raises(auditor.Refuted):
        scene.told()


def test_a_value_that_went_with_its_right_digest_is_still_no_erasure(store, tmp_path):
    scene = Scene(store, tmp_path)
    with closing(DRIVER.connect(scene.path)) as raw:
        ((doc,),) = raw.execute("SELECT doc FROM keyframe WHERE version_id = 5").fetchall()
    scene.alter(
        ALTERED["a value that went"].replace("zeroblob(32)", f"x'{sha256(doc).hexdigest()}'")
    )
    with pytest.raises(auditor.Refuted, match="version 5 are gone, and no entry says"):
        scene.told()


def test_what_an_erasure_forgot_cannot_be_stretched(store, tmp_path):
    scene = Scene(store, tmp_path)
    erase(store)
    scene.alter("INSERT INTO forgotten SELECT 5, leaf, 4 FROM forgotten LIMIT 1")
    with pytest.raises(auditor.Refuted, match="what was forgotten is not what entry"):
        scene.told()


def test_an_older_store_is_told_as_cut_off_and_another_one_as_rewritten(store, tmp_path):
    scene = Scene(store, tmp_path)
    head = auditor.signed_head(scene.note, auditor.keys_of(KEY))
    for size, words in ((head.size + 1, "cut off"), (head.size, "rewritten")):
        note = str(
            RING.sign(f"{head.origin}\n{size}\n{auditor.base64.b64encode(bytes(32)).decode()}\n")
        )
        scene.notes.write_text(note)
        with pytest.raises(auditor.Refuted, match=words):
            scene.told()


def test_what_is_no_store_is_an_error_of_the_question(tmp_path):
    (tmp_path / "list.db").write_text("milk")
    with pytest.raises(auditor.Unreadable, match="cannot be read as a store"):
        auditor.check_store(tmp_path / "list.db", empty_note(0), auditor.keys_of(KEY))
    assert auditor.main(["--key", KEY, "store", str(tmp_path / "no.db"), "nowhere"]) == 2
