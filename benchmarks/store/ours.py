"""crmtrail's store through its own port, as the runner uses it: lease, run, pages, cursor."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from contender import NotHere
from lite import written_size
from shape import FIELDS, OBJECT
from slicing import SOURCE, page_of
from world import EVERY, LOADED

from crmtrail.errors import CrmtrailError
from crmtrail.model import Field, Lease, Mode, Ref, Schema, Version
from crmtrail.ports import Query, ignore
from scheduler.lease import SqlLeases
from snapshot.engine import open_store
from snapshot.evidence import Evidence
from snapshot.signing import KeyRing, SigningKey
from snapshot.store import SqlStore

_HOLDER: Final = "benchmark:1:1"
_TTL: Final = timedelta(minutes=2)
_LINES: Final = 100
"""How many lines of the log are asked for at a time: one screen and some more."""


class _Hands:
    """A clock that is set to the sync at hand."""

    def __init__(self) -> None:
        self.moment = LOADED

    def now(self) -> datetime:
        return self.moment


class Store:
    """The store under test; ``url`` empty for a SQLite file in the folder."""

    exact = True
    tells = True

    def __init__(self, folder: Path, *, seal: str = "none", url: str | None = None) -> None:
        if url == "":
            raise NotHere("no --postgres URL was given")
        self._clock = _Hands()
        self._path = folder / "crmtrail.db"
        self._store = opened(url or f"sqlite:///{self._path}", self._clock, seal, folder)
        self._leases = SqlLeases(self._store.engine, self._clock)
        ring = KeyRing(SigningKey.fresh("crmtrail/benchmark"))
        self._evidence = Evidence(self._store.engine, ring, self._clock)

    # --- taking in -------------------------------------------------------------------------------

    def load(self, pages: Iterable[bytes]) -> None:
        """Take in every record for the first time."""
        self._run(LOADED, pages, Mode.INCREMENTAL)

    def recheck(self, pages: Iterable[bytes]) -> None:
        """Take in every record again."""
        self._run(LOADED + timedelta(hours=1), pages, Mode.FULL)

    def sync(self, number: int, pages: Iterable[bytes]) -> None:
        """Take in what changed until a sync."""
        self._run(LOADED + number * EVERY, pages, Mode.INCREMENTAL)

    def _run(self, at: datetime, pages: Iterable[bytes], mode: Mode) -> None:
        """Do what `scheduler.runner.Runner` does around the pages."""
        self._clock.moment = at
        lease = self._leases.acquire(SOURCE, OBJECT, _HOLDER, _TTL)
        if lease is None:
            raise RuntimeError("the benchmark's own lease is taken")
        run = self._store.begin(SOURCE, OBJECT, mode, at)
        self._store.learn(_schema(OBJECT), at)
        number = 0
        held: bytes | None = None
        for page in pages:
            if held is not None:
                self._keep(held, run, lease, number, done=False)
                number += 1
            held = page
        if held is not None:
            self._keep(held, run, lease, number, done=True)
        self._store.finish(run, state="done", at=at, api_calls=number)
        self._leases.release(lease)

    def _keep(self, body: bytes, run: int, lease: Lease, number: int, *, done: bool) -> None:
        page = page_of(
            body,
            object_=OBJECT,
            cursor=f'{{"after":{number}}}',
            done=done,
            read_at=self._clock.moment,
        )
        self._store.keep(page, source=SOURCE, run=run, lease=lease, notice=ignore)

    # --- telling ---------------------------------------------------------------------------------

    def size(self) -> int:
        """Return the bytes of the store and of its keys."""
        if self._store.engine.dialect.name == "postgresql":
            with self._store.engine.connect() as connection:
                found: int = connection.exec_driver_sql(
                    "SELECT pg_database_size(current_database())"
                ).scalar_one()
                return found
        return sum(map(written_size, self._path.parent.glob("*.db")))

    def count(self) -> tuple[int, int]:
        """Return how many records and versions the store says it has."""
        standing = self._store.standing(SOURCE, OBJECT)
        return standing.records, standing.versions

    def asof(self, id_: str, sync: int) -> Mapping[str, Any]:
        """Return a record's tokens at a valid time."""
        found = self._store.version(self._ref(id_), LOADED + sync * EVERY)
        return dict(found.fields) if isinstance(found, Version) else {}

    def timeline(self, id_: str) -> int:
        """Read a record's versions."""
        return len(self._store.timeline(self._ref(id_)))

    def diff(self, since: int, until: int) -> int:
        """Read how all records differ between two syncs."""
        start, end = LOADED + since * EVERY, LOADED + until * EVERY
        found = self._store.diff(SOURCE, OBJECT, start, end)
        return sum(len(each.changes) for each in found)

    def by_field(self, name: str, since: int, until: int) -> int:
        """Read a page of what changed a field."""
        return self._log(since, until, field=name)

    def by_actor(self, actor: str, since: int, until: int) -> int:
        """Read a page of what one person changed."""
        return self._log(since, until, actor=actor)

    def blanks(self, name: str, since: int, until: int) -> int:
        """Read a page of what blanked a field."""
        return self._log(since, until, field=name, blanked=True)

    def _log(self, since: int, until: int, **wanted: Any) -> int:
        query = Query(
            source=SOURCE,
            object=OBJECT,
            since=LOADED + since * EVERY,
            until=LOADED + until * EVERY,
            **wanted,
        )
        entries, _ = self._store.log(query, limit=_LINES)
        return len(entries)

    def export(self) -> int:
        """Read every record as it is now."""
        found = self._store.records(SOURCE, OBJECT)
        return sum(len(dict(each.fields)) > 0 for each in found)  # every value, however lazy

    def verify(self) -> int:
        """Recompute the ledger and the data under it."""
        found = self._store.verify()
        if not found.ok:
            raise RuntimeError(f"the store does not verify: {found.first_bad}")
        return found.entries

    def proof(self, id_: str) -> int:
        """Prove a record's newest version; return the bytes of the path, without the entry."""
        made = self._evidence.prove(self._ref(id_), None)
        return sum(map(len, made.hashes))

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _ref(self, id_: str) -> Ref:
        return Ref(SOURCE, OBJECT, id_)


def opened(url: str, clock: _Hands, seal: str, folder: Path) -> SqlStore:
    """Open the store with what is sealed: ``none``, ``personal`` (a key each) or ``all``.

    Raises:
        NotHere: this crmtrail cannot do that.
    """
    try:
        if seal == "none":
            return open_store(url, clock)
        from sealing import vault  # noqa: PLC0415 -- who seals nothing loads no keys

        return open_store(url, clock, vault=vault(clock, seal, folder))
    except ModuleNotFoundError as error:
        raise NotHere(f"this crmtrail has no {error.name}") from error
    except CrmtrailError as error:
        raise NotHere(str(error)) from error


def _schema(object_: str) -> Schema:
    return Schema(SOURCE, object_, {name: Field(name) for name in FIELDS})
