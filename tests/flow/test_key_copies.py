"""Copies of the key store: wrapped, dated, and no way back for a key that was destroyed."""

import stat
from contextlib import closing
from datetime import timedelta

import pytest

from crmtrail.errors import Mistake, NoStore, VerifyFailed
from snapshot.database import DRIVER
from snapshot.keys.copying import backup_keys, copies_in, expired
from snapshot.keys.kek import fresh_kek
from snapshot.keys.kek_places import in_file
from snapshot.keys.restoring import NamedKeys, restore_keys
from snapshot.keys.rotating import rotate_kek
from snapshot.place import place_of
from support.key_rig import key_rig
from support.postgres_server import fresh_database, running
from support.readings import T0


@pytest.fixture(params=["file", "server"])
def rig(request, tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir()
    if request.param == "file":
        with key_rig(folder) as made:
            yield made
        return
    running()
    with fresh_database() as url, key_rig(folder, place_of(url)) as made:
        yield made


@pytest.fixture
def other(tmp_path):
    """A machine where the key store is gone and the KEK was put back."""
    folder = tmp_path / "other"
    folder.mkdir()
    with key_rig(folder) as made:
        yield made


@pytest.fixture
def to(tmp_path):
    return tmp_path / "copy.db"


def restore(rig, copy, *, destroyed=(), highest=0):
    named = NamedKeys(frozenset(destroyed), highest)
    return restore_keys(copy, rig.place, rig.source, rig.clock, named)


def test_a_copy_is_one_private_file_of_wrapped_keys(rig, to):
    ring = rig.open()
    made = dict(ring.make(6000))
    ring.destroy([5], T0)
    told = []
    done = backup_keys(ring, to, T0, lambda *args: told.append(args))
    assert (done.path, done.made_at, done.keys) == (to, T0, 5999)
    assert told[-1][0] == 6001
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert [one.name for one in to.parent.iterdir() if one.is_file()] == [to.name]
    content = to.read_bytes()
    (kek,) = rig.source.read()
    assert kek not in content
    assert not [key for key in made.values() if key in content]


def test_a_copy_gives_back_what_was_lost(rig, other, to):
    ring = rig.open()
    made = dict(ring.make(3000))
    ring.bind("store-1")
    blind = ring.blind("ana@example.com")
    ring.destroy([7], T0)
    backup_keys(ring, to, T0)
    other.source.write(rig.source.read())
    done = restore(other, to)
    assert (done.added, done.left_out, done.made_at) == (2999, 0, T0)
    again = other.open(create=False)
    assert again.fetch(made) == made | {7: None}
    assert again.destroyed() == {7: T0}
    assert again.store_id == "store-1"
    assert again.blind("ana@example.com") == blind
    assert not made.keys() & dict(again.make(10)).keys()
    assert stat.S_IMODE(other.path.stat().st_mode) == 0o600


def test_a_key_destroyed_since_does_not_come_back(rig, other, to):
    ring = rig.open()
    made = dict(ring.make(10))
    backup_keys(ring, to, T0)
    later = dict(ring.make(10))
    ring.destroy([2, 15], T0)
    other.source.write(rig.source.read())
    done = restore(other, to, destroyed={2, 15}, highest=20)
    assert (done.added, done.left_out) == (9, 1)
    again = other.open(create=False)
    assert again.fetch([1, 2, 15]) == {1: made[1], 2: None, 15: None}
    assert again.destroyed().keys() == {2, 15}
    assert not (made | later).keys() & dict(again.make(5)).keys(), "their numbers are in the store"


def test_restoring_into_a_sound_key_store_changes_nothing(rig, to):
    ring = rig.open()
    made = dict(ring.make(10))
    backup_keys(ring, to, T0)
    made |= ring.make(5)
    ring.destroy([3], T0)
    ring.close()
    done = restore(rig, to)
    assert (done.added, done.left_out) == (0, 0)
    again = rig.open(create=False)
    assert again.fetch(made) == made | {3: None}
    assert again.destroyed() == {3: T0}


def test_a_destruction_that_the_key_store_missed_is_made_up_for(rig, to):
    ring = rig.open()
    ring.make(10)
    backup_keys(ring, to, T0)
    restore(rig, to, destroyed={4}, highest=10)
    assert rig.open(create=False).fetch([4]) == {4: None}


def test_a_copy_from_before_a_rotation_needs_the_key_of_that_time(rig, other, to):
    ring = rig.open()
    made = dict(ring.make(10))
    (old,) = rig.source.read()
    backup_keys(ring, to, T0)
    rotate_kek(ring, T0)
    (new,) = rig.source.read()
    other.source.write((new,))
    with pytest.raises(Mistake, match="wrapped under a key-encryption key that is not there"):
        restore(other, to)
    other.source.write((new, old))
    assert restore(other, to).added == 10
    rotate_kek(other.open(), T0)
    assert other.source.read() == (new,)
    assert other.open(create=False).fetch(made) == made


def test_keys_of_another_store_are_refused(rig, other, to):
    ring, stranger = rig.open(), other.open()
    ring.bind("store-1")
    stranger.bind("store-2")
    ring.make(1)
    backup_keys(ring, to, T0)
    other.source.write((*other.source.read(), *rig.source.read()))
    with pytest.raises(Mistake, match="belongs to another store"):
        restore(other, to)


def test_other_keys_under_the_same_numbers_are_refused(rig, other, to):
    ring, anew = rig.open(), other.open()
    ring.make(3)
    kept = dict(anew.make(3))
    backup_keys(ring, to, T0)
    other.source.write((*other.source.read(), *rig.source.read()))
    with pytest.raises(Mistake, match="other keys than the copy under the same numbers"):
        restore(other, to)
    assert anew.fetch(kept) == kept


def test_a_key_store_made_anew_but_unused_takes_the_copy(rig, other, to):
    ring = rig.open()
    made = dict(ring.make(3))
    blind = ring.blind("ana@example.com")
    backup_keys(ring, to, T0)
    other.open().close()
    other.source.write((*other.source.read(), *rig.source.read()))
    assert restore(other, to).added == 3
    again = other.open(create=False)
    assert again.fetch(made) == made
    assert again.blind("ana@example.com") == blind


def test_a_copy_cannot_be_used_as_the_key_store(rig, other, to):
    ring = rig.open()
    ring.make(1)
    backup_keys(ring, to, T0)
    other.source.write(rig.source.read())
    to.rename(other.path)
    with pytest.raises(Mistake, match="is a copy of a key store, made on 2026") as caught:
        other.open()
    assert "--restore" in caught.value.hint


def test_nothing_is_written_over(rig, to):
    ring = rig.open()
    to.write_text("mine")
    with pytest.raises(Mistake, match="exists already"):
        backup_keys(ring, to, T0)
    assert to.read_text() == "mine"


def test_a_copy_is_old_after_thirty_days(rig, to):
    backup_keys(rig.open(), to, T0)
    assert not expired(to, T0 + timedelta(days=30))
    assert expired(to, T0 + timedelta(days=30, seconds=1))
    assert expired(to, T0 + timedelta(days=8), days=7)
    assert list(copies_in(to.parent)) == [to]
    assert list(copies_in(to.parent / "none")) == []


def test_what_is_no_copy_is_told(other, tmp_path):
    other.source.read_or_make()
    with pytest.raises(NoStore, match="there is no copy"):
        restore(other, tmp_path / "none.db")
    other.open().close()
    with pytest.raises(Mistake, match="is no copy made by"):
        expired(other.path, T0)
    assert list(copies_in(other.folder)) == []


def test_a_damaged_copy_gives_nothing(rig, other, to):
    ring = rig.open()
    ring.make(3000)
    backup_keys(ring, to, T0)
    other.source.write(rig.source.read())
    with to.open("r+b") as file:
        file.seek(40_000)
        file.write(bytes(20_000))
    with pytest.raises(VerifyFailed, match="is damaged"):
        restore(other, to)
    assert other.open().standing().keys == 0


def test_a_newer_copy_is_told(rig, other, to):
    backup_keys(rig.open(), to, T0)
    with closing(DRIVER.connect(to, isolation_level=None)) as raw:
        raw.execute("UPDATE ring SET format = 2")
    other.source.read_or_make()
    with pytest.raises(NoStore, match="newer crmtrail"):
        restore(other, to)


def test_the_key_encryption_key_has_to_be_back_first(rig, other, to):
    backup_keys(rig.open(), to, T0)
    with pytest.raises(Mistake, match="the key-encryption key is missing"):
        restore(other, to)
    in_file(other.kek).write((fresh_kek(),))
    with pytest.raises(Mistake, match="wrapped under a key-encryption key that is not there"):
        restore(other, to)
    assert not other.path.exists()
