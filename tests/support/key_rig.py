"""Key stores for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snapshot.keys.kek_places import in_file
from snapshot.keys.keyring import Keyring
from snapshot.keys.opening import open_keyring
from snapshot.place import StoreFile, StorePlace
from support.readings import HandClock


class KeyRig:
    """A folder with a key store, or with the KEK of one on a server; opened as often as wanted."""

    def __init__(self, folder: Path, place: StorePlace | None = None) -> None:
        self.folder = folder
        self.path = folder / "crm-keys.db"
        self.place = place or StoreFile(self.path)
        self.kek = folder / "crm-keys.kek"
        self.source = in_file(self.kek)
        self.clock = HandClock()
        self._opened: list[Keyring] = []

    def open(self, *, create: bool = True) -> Keyring:
        ring = open_keyring(self.place, self.source, self.clock, create=create)
        self._opened.append(ring)
        return ring

    def close(self) -> None:
        for ring in self._opened:
            ring.close()

    def bytes_on_disk(self) -> bytes:
        """Return what the database and the files beside it hold."""
        return b"".join(path.read_bytes() for path in self.folder.glob("crm-keys.db*"))


@contextmanager
def key_rig(folder: Path, place: StorePlace | None = None) -> Iterator[KeyRig]:
    rig = KeyRig(folder, place)
    try:
        yield rig
    finally:
        rig.close()
