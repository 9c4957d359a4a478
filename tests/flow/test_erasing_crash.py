"""Kill an erasure at any point: it happened in full or not at all, or the next opening ends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crmtrail.config import parse
from crmtrail.model import ERASED
from crmtrail.opening import Stores
from snapshot.backup import back_up
from support.erase_and_die import DEATHS
from support.forgetting_rig import CANARY, MAIL, PERSON, Office, lived, on_disk, sqlite_office

TESTS = Path(__file__).parents[1]
HIDDEN = (CANARY.encode(), MAIL.encode())


def killed(folder: Path, when: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "support.erase_and_die", str(folder), when],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
        check=False,
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("when", DEATHS)
def test_an_erasure_that_was_killed_is_whole_or_is_ended(tmp_path, when):
    with sqlite_office(tmp_path) as office:
        lived(office)
        office.store.close()
        killed(tmp_path, when)

        office.reopen()
        office.verified()
        happened = office.one("SELECT count(*) FROM erasure") == 1
        assert happened == (when != DEATHS[0])
        if not happened:
            assert office.store.version(PERSON).fields["LastName"] == f'"{CANARY}"'
            office.forgetting.erase(str(PERSON), why="request", by="ana")
        else:
            assert office.store.version(PERSON).fields["LastName"] == ERASED
            assert office.forgetting.finish() is not None
        assert_erased(office)


def assert_erased(office: Office) -> None:
    assert office.forgetting.finish() is None
    assert len(office.ring.destroyed()) == 1
    assert not any(word in on_disk(office) for word in HIDDEN)
    office.verified()


def test_opening_the_store_ends_an_erasure(tmp_path):
    with sqlite_office(tmp_path) as office:
        lived(office)
        office.store.close()
        killed(tmp_path, DEATHS[1])
        config = parse(
            f"store: {{url: 'sqlite:///{tmp_path}/crmtrail.db'}}\n"
            f"keys: {{url: 'sqlite:///{office.keys.path}', kek: {{path: '{office.keys.kek}'}}}}",
            {},
        )
        stores = Stores(config, office.clock, {})
        assert stores.open(create=False).version(PERSON).fields["LastName"] == ERASED
        stores.close()
        office.reopen()
        assert_erased(office)


def test_a_backup_from_before_brings_nobody_back(tmp_path):
    """E4: backup, erase, put the old backup back, replay: erased again, and nowhere on the disk."""
    with sqlite_office(tmp_path) as office:
        lived(office)
        old = tmp_path / "old.db"
        back_up(office.store, old, by="ana", clock=office.clock)
        office.forgetting.erase(str(PERSON), why="request", by="ana")
        new = tmp_path / "new.db"
        back_up(office.store, new, by="ana", clock=office.clock)
        assert not any(word in new.read_bytes() for word in HIDDEN)

        office.store.close()
        office.path.write_bytes(old.read_bytes())
        office.reopen()
        assert any(word in on_disk(office) for word in HIDDEN)

        assert office.forgetting.replay(by="ana") == 1
        assert office.forgetting.replay(by="ana") == 0
        assert office.store.version(PERSON).fields["LastName"] == ERASED
        assert not any(word in on_disk(office) for word in HIDDEN)
        office.verified()
