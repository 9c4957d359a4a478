"""History with SQLModel as most programs would write it: one class, one history class, a session.

A page at a time: select what is stored, compare, add a full copy to the history where something
differs, commit. The fields are in one JSON column, since a CRM's administrators add fields at will;
62 typed columns take twice the time.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from contender import sliced
from lite import sqlite, written_size
from shape import BOOKKEEPING
from sqlalchemy import JSON, create_engine, event
from sqlmodel import Field, Session, SQLModel, col, func, select


class Current(SQLModel, table=True):
    """A record as it is now."""

    id: str = Field(primary_key=True)
    fields: dict[str, Any] = Field(sa_type=JSON)


class History(SQLModel, table=True):
    """A record as it was since a sync."""

    version_id: int | None = Field(default=None, primary_key=True)
    id: str = Field(index=True)
    sync: int
    actor: str
    at: str
    fields: dict[str, Any] = Field(sa_type=JSON)


class Store:
    """Two tables, one session a page."""

    exact = False
    tells = True

    def __init__(self, folder: Path) -> None:
        self._path = folder / "orm.db"
        self._engine = create_engine(f"sqlite:///{self._path}", module=sqlite)
        event.listen(self._engine, "connect", settle)
        SQLModel.metadata.create_all(self._engine)

    def load(self, pages: Iterable[bytes]) -> None:
        """Store every record."""
        self._keep(0, pages)

    def recheck(self, pages: Iterable[bytes]) -> None:
        """Compare every record."""
        self._keep(0, pages)

    def sync(self, number: int, pages: Iterable[bytes]) -> None:
        """Store what changed."""
        self._keep(number, pages)

    def _keep(self, sync: int, pages: Iterable[bytes]) -> None:
        for records in sliced(pages):
            with Session(self._engine) as session:
                ids = [record["Id"] for record in records]
                query = select(Current).where(col(Current.id).in_(ids))
                stored = {each.id: each for each in session.exec(query)}
                for record in records:
                    at, actor = record["SystemModstamp"], record["LastModifiedById"]
                    fields = {n: v for n, v in record.items() if n not in BOOKKEEPING}
                    current = stored.get(record["Id"])
                    if current is None:
                        session.add(Current(id=record["Id"], fields=fields))
                    elif current.fields == fields:
                        continue
                    else:
                        current.fields = fields
                    session.add(
                        History(id=record["Id"], sync=sync, actor=actor, at=at, fields=fields)
                    )
                session.commit()

    def size(self) -> int:
        """Return the file's bytes."""
        return written_size(self._path)

    def count(self) -> tuple[int, int]:
        """Return how many records and versions there are."""
        with Session(self._engine) as session:
            records = session.exec(select(func.count()).select_from(Current)).one()
            return records, session.exec(select(func.count()).select_from(History)).one()

    def asof(self, id_: str, sync: int) -> Mapping[str, Any]:
        """Select the newest copy up to a sync."""
        query = (
            select(History)
            .where(History.id == id_, History.sync <= sync)
            .order_by(col(History.version_id).desc())
            .limit(1)
        )
        with Session(self._engine) as session:
            return session.exec(query).one().fields

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()


def settle(connection: Any, _record: object) -> None:
    """Set what holds for every contender on SQLite."""
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
