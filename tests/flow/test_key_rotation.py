"""A new key-encryption key: every key is wrapped anew, whenever it is killed; the old one goes."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from crmtrail.errors import Locked, Mistake
from snapshot.keys.kek import KekSource, fresh_kek
from snapshot.keys.kek_places import in_environment, in_file
from snapshot.keys.keyring import Keyring
from snapshot.keys.opening import open_keyring
from snapshot.keys.rotating import rotate_kek
from snapshot.keys.wrapping import wrap
from support.key_rig import key_rig
from support.readings import T0

KEYS = 7_000  # several batches


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def rig(tmp_path):
    with key_rig(tmp_path) as made:
        yield made


def test_every_key_is_wrapped_anew_and_stays_what_it_is(rig):
    ring = rig.open()
    made = dict(ring.make(KEYS))
    blind = ring.blind("ana@example.com")
    ring.destroy([1], T0)
    (old,) = rig.source.read()
    old_wrapping = wrap(old, made[2])
    assert old_wrapping in rig.bytes_on_disk()
    done = rotate_kek(ring, T0)
    assert done.keys == KEYS - 1 + 1, "all but the destroyed one, and the index key"
    assert (done.resumed, done.to_do) == (False, "")
    (new,) = rig.source.read()
    assert new != old
    assert old_wrapping not in rig.bytes_on_disk()
    for each in (ring, rig.open(create=False)):
        assert each.fetch(made) == made | {1: None}
        assert each.blind("ana@example.com") == blind
        assert each.standing().stale == 0
    with pytest.raises(Mistake, match="under another key-encryption key"):
        open_keyring(rig.place, in_place_of(rig, old), rig.clock, create=False)


def in_place_of(rig, *keks):
    path = rig.folder / "other.kek"
    in_file(path).write(keks)
    return in_file(path)


def test_who_has_the_key_store_open_meanwhile_goes_on(rig):
    ring, service = rig.open(), rig.open()
    made = dict(service.make(10))
    rotate_kek(ring, T0)
    made |= service.make(5000)
    assert rig.open(create=False).fetch(made) == made
    assert service.fetch(made) == made
    rotate_kek(ring, T0)
    made |= service.make(10)
    assert service.fetch(made) == made


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_a_rotation_that_was_killed_goes_on(rig, batches):
    ring = rig.open()
    made = dict(ring.make(KEYS))
    told = []

    def die(done, _total, _words):
        told.append(done)
        if len(told) > batches:
            raise KilledError

    with pytest.raises(KilledError):
        rotate_kek(ring, T0, die)
    assert len(rig.source.read()) == 2
    between = rig.open(create=False)
    assert between.fetch(made) == made
    assert between.standing().stale == KEYS + 1 - told[-1]
    made |= between.make(3)
    done = rotate_kek(between, T0)
    assert done.resumed
    assert done.keys == KEYS + 1 - told[-1]
    assert len(rig.source.read()) == 1
    assert rig.open(create=False).fetch(made) == made


def test_a_kill_between_the_two_keys_and_the_first_batch_changes_nothing(rig):
    ring = rig.open()
    made = dict(ring.make(10))
    (old,) = rig.source.read()
    rig.source.write((fresh_kek(), old))
    other = rig.open(create=False)
    assert other.fetch(made) == made
    made |= other.make(5)
    assert rotate_kek(other, T0).resumed
    assert rig.open(create=False).fetch(made) == made


ROTATE = """if True:
    import sys
    from pathlib import Path
    from crmtrail.clock import SystemClock
    from snapshot.keys.kek_places import in_file
    from snapshot.keys.opening import open_keyring
    from snapshot.keys.rotating import rotate_kek
    from snapshot.place import StoreFile
    path, kek = Path(sys.argv[1]), Path(sys.argv[2])
    ring = open_keyring(StoreFile(path), in_file(kek), SystemClock(), create=False)
    rotate_kek(ring, SystemClock().now(), lambda done, *_: print(done, flush=True))
    ring.close()
    print("done", flush=True)
"""


@pytest.mark.parametrize("lines", [1, 3])
def test_kill_9_in_the_middle_loses_no_key(rig, lines):
    ring = rig.open()
    made = dict(ring.make(20_000))
    ring.close()
    command = [sys.executable, "-c", ROTATE, str(rig.path), str(rig.kek)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline().strip().isdecimal()
        os.kill(process.pid, signal.SIGKILL)
        assert "done" not in process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    again = rig.open(create=False)
    assert again.fetch(made) == made
    assert 0 < again.standing().stale < 20_000
    done = rotate_kek(again, T0)
    assert done.resumed
    assert done.keys == again.standing().keys + 1 - (20_001 - done.keys)
    assert again.fetch(made) == made
    assert again.standing().stale == 0
    assert len(rig.source.read()) == 1


def test_a_second_rotation_to_another_key_stops_the_first(rig):
    ring, other = rig.open(), rig.open()
    made = dict(ring.make(KEYS))
    ours, theirs = fresh_kek(), fresh_kek()

    def interfere(_done, _total, _words):
        rig.source.write((theirs, ours, *rig.source.read()))
        other.rotate(theirs)

    with pytest.raises(Locked, match="another rotation"):
        ring.rotate(ours, interfere)
    rig.source.write((theirs,))
    assert rig.open(create=False).fetch(made) == made


def test_rotations_at_once_lose_no_key(rig):
    ring = rig.open()
    made = dict(ring.make(KEYS))
    rings = [rig.open() for _ in range(3)]
    together, done, refused = threading.Barrier(3), [], []

    def work(each):
        together.wait()
        try:
            done.append(rotate_kek(each, T0))
        except Locked:
            refused.append(each)

    threads = [threading.Thread(target=work, args=(each,)) for each in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done
    assert len(done) + len(refused) == 3
    last = rig.open(create=False)
    assert last.fetch(made) == made
    assert last.standing().stale == 0


# --- where only a person can write the key-encryption key -----------------------------------


class Hands:
    """An environment that a person changes."""

    def __init__(self, text):
        self.environ = {"CRM_KEK": text}
        self.source: KekSource = in_environment("CRM_KEK", self.environ)


def test_a_person_puts_the_new_key_first_and_takes_the_old_one_out(rig):
    rig.open().close()
    made = {}
    old_text = rig.kek.read_text().splitlines()[1]
    hands = Hands(old_text)
    ring = Keyring(rig.open(create=False).engine, hands.source, rig.clock)
    made |= ring.make(10)
    with pytest.raises(Mistake, match="put a new key-encryption key before the old one"):
        rotate_kek(ring, T0)
    in_file(rig.folder / "new.kek").read_or_make()
    new_text = (rig.folder / "new.kek").read_text().splitlines()[1]
    hands.environ["CRM_KEK"] = f"{new_text} {old_text}"
    done = rotate_kek(ring, T0)
    assert done.keys == 10 + 1
    assert "take the old key out of the environment variable CRM_KEK" in done.to_do
    hands.environ["CRM_KEK"] = new_text
    last = open_keyring(rig.place, hands.source, rig.clock, create=False)
    assert last.fetch(made) == made
    last.close()
