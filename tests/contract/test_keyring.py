"""What every implementation of the port `Keys` holds to."""

import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmtrail.errors import Mistake
from snapshot.keys.memory import MemoryKeyring
from snapshot.keys.port import KeyMissing, normalised
from snapshot.place import place_of
from support.key_rig import key_rig
from support.postgres_server import fresh_database, running
from support.readings import T0 as NOW

LATER = NOW + timedelta(days=1)


@pytest.fixture(params=["memory", "file", "server"])
def keys(request, tmp_path):
    match request.param:
        case "memory":
            yield MemoryKeyring()
        case "file":
            with key_rig(tmp_path) as rig:
                yield rig.open()
        case "server":
            running()
            with fresh_database() as url, key_rig(tmp_path, place_of(url)) as rig:
                yield rig.open()


def test_keys_are_made_with_rising_ids_and_never_alike(keys):
    first = keys.make(3)
    second = keys.make(2500)
    made = [*first, *second]
    ids = [key_id for key_id, _ in made]
    assert ids[0] >= 1
    assert ids == sorted(set(ids))
    assert {len(key) for _, key in made} == {32}
    assert len({key for _, key in made}) == len(made)
    assert keys.fetch(ids) == dict(made)
    assert keys.make(0) in ([], ())


def test_nothing_asked_is_nothing_told(keys):
    assert keys.fetch(()) == {}
    assert keys.destroy((), NOW) == 0
    assert keys.destroyed() == {}


def test_a_destroyed_key_is_told_from_one_that_was_never_there(keys):
    (lost, _), (left, key) = keys.make(2)
    assert keys.stands(lost)
    assert keys.destroy([lost, lost], NOW) == 1
    assert keys.fetch([lost, left]) == {lost: None, left: key}
    assert not keys.stands(lost)
    assert keys.stands(left)
    assert keys.destroyed() == {lost: NOW}


def test_a_key_is_destroyed_once(keys):
    ((lost, _),) = keys.make(1)
    assert keys.destroy([lost], NOW) == 1
    assert keys.destroy([lost], LATER) == 0
    assert keys.destroyed() == {lost: NOW}


@pytest.mark.parametrize("strange", [0, -1, 10**12])
def test_a_key_that_was_never_there_is_no_erasure(keys, strange):
    ((known, key),) = keys.make(1)
    with pytest.raises(KeyMissing, match="1 key is missing from the key store"):
        keys.fetch([known, strange])
    with pytest.raises(KeyMissing):
        keys.stands(strange)
    with pytest.raises(KeyMissing):
        keys.destroy([known, strange], NOW)
    assert keys.fetch([known]) == {known: key}, "then none is destroyed"


def test_missing_keys_are_counted(keys):
    with pytest.raises(KeyMissing, match="3 keys are missing") as caught:
        keys.fetch([10**6, 10**6 + 1, 10**6 + 2])
    assert "keys.url" in caught.value.hint


def test_keys_belong_to_one_store(keys):
    assert keys.store_id is None
    keys.bind("store-1")
    keys.bind("store-1")
    assert keys.store_id == "store-1"
    with pytest.raises(Mistake, match="belongs to another store"):
        keys.bind("store-2")
    assert keys.store_id == "store-1"


def test_equal_addresses_are_equal_blind_and_others_are_not(keys):
    blind = keys.blind("ana@example.com")
    assert len(blind) == 32
    assert keys.blind("  Ana@EXAMPLE.com\n") == blind
    assert keys.blind("\uff41na@example.com") == blind, "a full-width letter"
    assert keys.blind("a.na@example.com") != blind
    assert keys.blind("ana+crm@example.com") != blind
    assert keys.blind("\ud800@example.com") != blind, "half a character is no reason to fail"


def test_another_ring_is_blind_otherwise(keys, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with key_rig(other) as rig:
        assert rig.open().blind("ana@example.com") != keys.blind("ana@example.com")
    assert MemoryKeyring().blind("ana@example.com") != keys.blind("ana@example.com")


def test_threads_make_keys_of_their_own(keys):
    together, found = threading.Barrier(8), []

    def work():
        together.wait()
        for count in (1, 2, 50):
            found.extend(keys.make(count))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 * 53
    assert len({key_id for key_id, _ in found}) == len(found)
    assert keys.fetch(key_id for key_id, _ in found) == dict(found)


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalised(normalised(text)) == normalised(text)


@given(st.emails())
def test_the_case_of_an_address_does_not_matter(address):
    assert normalised(address.upper()) == normalised(address)
