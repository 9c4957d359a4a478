"""What every contender can do, and where each is found."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable


class NotHere(Exception):
    """A contender cannot run here; the message says why."""


@runtime_checkable
class Contender(Protocol):
    """A store under test. Times are numbers of syncs: 0 is the first load."""

    exact: bool
    """Whether it gives back exact JSON texts; else plain values."""
    tells: bool
    """Whether it can be asked for anything at all."""

    def load(self, pages: Iterable[bytes]) -> None:
        """Take in every record for the first time; durable on return."""
        ...

    def recheck(self, pages: Iterable[bytes]) -> None:
        """Take in every record again, none of them changed."""
        ...

    def sync(self, number: int, pages: Iterable[bytes]) -> None:
        """Take in what changed until a sync; durable on return."""
        ...

    def size(self) -> int:
        """Return the bytes on disk, with everything written out."""
        ...

    def count(self) -> tuple[int, int]:
        """Return how many records and how many versions it holds."""
        ...

    def asof(self, id_: str, sync: int) -> Mapping[str, Any]:
        """Return a record's fields as of a sync."""
        ...

    def close(self) -> None:
        """Let go of files and processes."""
        ...


@runtime_checkable
class Asked(Contender, Protocol):
    """A store that answers the questions for which there are targets."""

    def timeline(self, id_: str) -> int:
        """Read all versions of a record with their changes; return how many."""
        ...

    def diff(self, since: int, until: int) -> int:
        """Read how all records differ between two syncs; return how many field changes."""
        ...

    def by_field(self, name: str, since: int, until: int) -> int:
        """Read the newest changes of a field between two syncs, one page; return how many."""
        ...

    def by_actor(self, actor: str, since: int, until: int) -> int:
        """As `by_field`, of what one person changed."""
        ...

    def blanks(self, name: str, since: int, until: int) -> int:
        """As `by_field`, of a field's values that were blanked."""
        ...

    def export(self) -> int:
        """Read every record as it is now, one after the other; return how many."""
        ...

    def verify(self) -> int:
        """Check everything against the ledger; return how many entries it has."""
        ...

    def proof(self, id_: str) -> int:
        """Prove that a record's newest version is in the ledger; return the proof's bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Entrant:
    """One contender as the tables name it.

    Attributes:
        label: its row in the table.
        module: where its class ``Store`` is.
        needs: what has to be importable.
        options: what ``Store`` takes beside its folder.
        peer: whether it is somebody else's product, measured with fewer records.
    """

    label: str
    module: str
    needs: tuple[str, ...] = ()
    options: Mapping[str, str] | None = None
    peer: bool = False

    def open(self, folder: Path) -> Contender:
        """Open it over a folder, which is empty or its own.

        Raises:
            NotHere: it cannot run here.
        """
        try:
            module = import_module(self.module)
        except ModuleNotFoundError as error:
            raise NotHere(f"not installed: {error.name}") from error
        made: Contender = module.Store(folder, **(self.options or {}))
        return made


ENTRANTS: Final[Mapping[str, Entrant]] = {
    "floor": Entrant("floor: slice and insert raw", "floor"),
    "nodiff": Entrant("zstd copy of each version, no diff", "nodiff", ("zstandard", "xxhash")),
    "ours": Entrant("crmtrail, SQLite", "ours"),
    "ours-subjects": Entrant(
        "crmtrail, SQLite, a key per person", "ours", options={"seal": "personal"}
    ),
    "ours-sealed": Entrant("crmtrail, SQLite, all sealed", "ours", options={"seal": "all"}),
    "postgres": Entrant(
        "crmtrail, PostgreSQL (CPU without the server's)", "ours", options={"url": ""}
    ),
    "dlt": Entrant(
        "dlt scd2 to DuckDB", "dlt_scd2", ("dlt", "duckdb"), {"where": "duckdb"}, peer=True
    ),
    "dlt-arrow": Entrant(
        "dlt scd2 to DuckDB, Arrow pages",
        "dlt_scd2",
        ("dlt", "duckdb", "pyarrow"),
        {"where": "duckdb", "arrow": "yes"},
        peer=True,
    ),
    "dlt-sqlite": Entrant(
        "dlt scd2 to SQLite", "dlt_scd2", ("dlt", "sqlalchemy"), {"where": "sqlite"}, peer=True
    ),
    "orm": Entrant("SQLModel ORM by the book", "orm", ("sqlmodel",), peer=True),
    "django": Entrant(
        "django-simple-history, bulk", "django_history", ("django", "simple_history"), peer=True
    ),
    "continuum": Entrant("SQLAlchemy-Continuum", "continuum", ("sqlalchemy_continuum",), peer=True),
}


def sliced(pages: Iterable[bytes]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield the records of each page as plain values, as most programs would read them."""
    import msgspec  # noqa: PLC0415 -- the table can be printed without it

    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for page in pages:
        records: list[dict[str, Any]] = decode(page)["records"]
        for record in records:
            del record["attributes"]
        yield records
