"""The store of a configuration and the keys to it, opened when they are first needed."""

import os
import threading
from collections.abc import Mapping

from crmtrail.config import Config
from crmtrail.ports import Clock
from snapshot.database import reading
from snapshot.engine import is_there, open_store
from snapshot.keys.keyring import Keyring
from snapshot.keys.on_demand import KeysOnDemand
from snapshot.keys.opening import open_keys
from snapshot.keys.policy import Subjects
from snapshot.place import StorePlace, is_writable, place_of
from snapshot.store import SqlStore
from snapshot.vault import Vault

_NAMES_KEYS = (
    "SELECT EXISTS (SELECT 1 FROM record WHERE key_id IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM position WHERE key_id IS NOT NULL)"
)


class Stores:
    """One store, opened once for each thread that asks; all of them share the keys."""

    def __init__(
        self, config: Config, clock: Clock, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._config = config
        self._clock = clock
        self._environ = environ
        self._lock = threading.Lock()
        self._stores: dict[int, SqlStore] = {}
        self._keys = KeysOnDemand(self._open_keys)
        kinds = {name: source.kind for name, source in config.sources.items()}
        self.vault = Vault(self._keys, Subjects.of(config.keys.seal, config.privacy, kinds))

    @property
    def place(self) -> StorePlace:
        """Where the store is, whether it is there or not.

        Raises:
            Mistake: store.url is none of ours.
        """
        return place_of(self._config.store.url)

    def exist(self) -> bool:
        """Return whether anything was ever stored.

        Raises:
            Mistake: store.url is none of ours.
            NoStore: its server cannot be asked.
        """
        return bool(self._stores) or is_there(self.place)

    def open(self, *, create: bool) -> SqlStore:
        """Return the store of this thread.

        Args:
            create: whether to make a store where there is none, and the keys to it.

        Raises:
            NoStore: there is none, or it cannot be opened.
            KeyMissing: it is to be written, and the keys that it names are not there.
            Mistake: the keys are another store's, or the key-encryption key is missing or wrong.
        """
        thread = threading.get_ident()
        with self._lock:
            opened = thread not in self._stores
            if opened:
                self._stores[thread] = open_store(
                    self._config.store.url, self._clock, create=create, vault=self.vault
                )
            store = self._stores[thread]
        if opened:
            _finish_erasures(store, self._clock, writable=is_writable(self.place))
        if create and (self._config.keys.seal != "none" or _names_keys(store)):
            self._keys.opened()  # or the first page would be read from the CRM in vain
        return store

    def close(self) -> None:
        """Close every store, and the keys."""
        with self._lock:
            for store in self._stores.values():
                store.close()
            self._stores.clear()
        self._keys.close()

    def _open_keys(self) -> Keyring:
        """Open the keys, which have to be this store's; made only where it names none yet."""
        config = self._config
        engine = self.open(create=False).engine
        with reading(engine) as connection:
            store_id = connection.exec_driver_sql("SELECT store_id FROM identity").scalar_one()
        create = not _names_keys(self.open(create=False))
        ring = open_keys(config.keys, config.store.url, self._environ, self._clock, create=create)
        try:
            ring.bind(store_id)
        except BaseException:
            ring.close()
            raise
        return ring


def _finish_erasures(store: SqlStore, clock: Clock, *, writable: bool) -> None:
    """Finish the erasures that a kill interrupted, where the store can be written."""
    with reading(store.engine) as connection:
        begun = connection.exec_driver_sql("SELECT 1 FROM erasure WHERE finished IS NULL").scalar()
    if begun is not None and writable:
        # Loaded only here: most openings find none.
        from snapshot.erasing import Forgetting  # noqa: PLC0415 -- see above

        Forgetting(store.engine, store.shelf, clock).finish()


def _names_keys(store: SqlStore) -> bool:
    """Return whether anything in a store is sealed."""
    with reading(store.engine) as connection:
        return bool(connection.exec_driver_sql(_NAMES_KEYS).scalar_one())
