"""Erase a person in a process that is killed on the way: FOLDER, and when to die."""

import os
import signal
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from snapshot.engine import open_store
from snapshot.erasing import Forgetting
from snapshot.keys.keyring import Keyring
from snapshot.keys.policy import Subjects
from snapshot.vault import Vault
from support.forgetting_rig import KEEP, PERSON
from support.key_rig import KeyRig
from support.readings import HandClock

DEATHS = ("in the transaction", "before the keys", "after the keys")


class DyingKeys(Keyring):
    """Keys whose user is killed when it asks for something."""

    when = ""

    def fetch(self, ids: Iterable[int]) -> Mapping[int, bytes | None]:
        if self.when == DEATHS[0]:
            die()
        return super().fetch(ids)

    def destroy(self, ids: Iterable[int], at: datetime) -> int:
        if self.when == DEATHS[1]:
            die()
        super().destroy(ids, at)
        die()


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def main(folder: Path, when: str) -> None:
    ring = KeyRig(folder).open(create=False)
    keys = DyingKeys(ring.engine, ring.source, HandClock())
    keys.when = when
    vault = Vault(keys, Subjects(keeps=KEEP))
    store = open_store(f"sqlite:///{folder}/crmtrail.db", HandClock(), vault=vault)
    Forgetting(store.engine, store.shelf, HandClock()).erase(str(PERSON), why="request", by="ana")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
