"""The key file: yours alone, made once, rotated without losing what others trust."""

import stat
import threading

import pytest

from crmtrail.errors import Mistake
from snapshot.signing import open_ring, replace_ring, this_machine

TEXT = "acme.example/crmtrail\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "crmtrail.db.key"


def test_the_key_is_made_on_first_use_for_its_owner_alone(path):
    ring = open_ring(path, "acme.example/crmtrail", make=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path], "no draft is left behind"
    assert open_ring(path, "", make=False) == ring
    assert ring.origin == "acme.example/crmtrail"
    assert ring.sign(TEXT).signers(ring.keys) == (ring.current.public,)
    assert ring.sign(TEXT) == ring.sign(TEXT), "the same text has one signature"


def test_without_a_name_the_machine_gives_one(path):
    assert open_ring(path, "", make=True).origin == this_machine()
    assert this_machine().startswith("crmtrail/")


def test_all_that_make_it_at_once_get_the_same(path):
    together, found = threading.Barrier(8), []

    def work():
        together.wait()
        found.append(open_ring(path, "o", make=True))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({ring.current.seed for ring in found}) == 1


def test_rotation_keeps_the_old_keys_as_public_ones_and_forgets_their_secrets(path):
    first = open_ring(path, "o", make=True)
    old = first.sign(TEXT)
    replace_ring(path, first.rotated())
    second = open_ring(path, "", make=False)
    replace_ring(path, second.rotated())
    third = open_ring(path, "", make=False)
    assert third.retired == (second.current.public, first.current.public)
    assert old.signers(third.keys) == (first.current.public,)
    both = third.sign(TEXT, second.current)
    assert both.signers(third.keys) == (third.current.public, second.current.public)
    assert first.current.text not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_origin_never_changes(path):
    open_ring(path, "one", make=True)
    with pytest.raises(Mistake, match="signs for one") as caught:
        open_ring(path, "two", make=True)
    assert "ledger.origin: one" in caught.value.hint


def test_a_lost_key_is_not_quietly_replaced(path):
    with pytest.raises(Mistake, match="missing, and this ledger was signed before") as caught:
        open_ring(path, "o", make=False)
    assert "--rotate" in caught.value.hint
    assert not path.exists()


def test_a_key_that_others_can_read_is_refused(path):
    open_ring(path, "o", make=True)
    path.chmod(0o640)
    with pytest.raises(Mistake, match="can be read by others") as caught:
        open_ring(path, "o", make=True)
    assert caught.value.hint == f"chmod 600 {path}"


def damaged(text):
    secret = text.splitlines()[1]
    return {
        "empty": "",
        "prose": "my shopping list\n",
        "two secrets": f"{secret}\n{secret}\n",
        "short": secret[:-6],
        "another id": secret.replace("+o+", "+p+"),
        "retired of another origin": f"{secret}\n"
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
    }


@pytest.mark.parametrize("how", damaged("\n\n"))
def test_a_damaged_file_is_told_without_its_secret(path, how):
    ring = open_ring(path, "o", make=True)
    path.write_text(damaged(path.read_text())[how])
    with pytest.raises(Mistake, match="holds no signing key") as caught:
        open_ring(path, "o", make=True)
    assert ring.current.text.split("+", 4)[-1][:20] not in str(caught.value)


def test_bytes_that_are_no_text_are_told(path):
    path.write_bytes(b"\xff\xfe\x00")
    path.chmod(0o600)
    with pytest.raises(Mistake, match="holds no signing key"):
        open_ring(path, "o", make=True)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Mistake, match="cannot be written") as caught:
        open_ring(tmp_path / "none" / "key", "o", make=True)
    assert "ledger.key_file" in caught.value.hint
