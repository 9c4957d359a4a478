"""SQLAlchemy-Continuum: versions are written by its listeners when the session flushes.

Strategy ``subquery``: it writes less than ``validity``, which also closes the version before.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from contender import sliced
from lite import sqlite, written_size
from orm import settle
from shape import FIELDS, FLAGS, NUMBERS, column
from sqlalchemy.orm import DeclarativeBase, Session, configure_mappers
from sqlalchemy_continuum import make_versioned, version_class

COLUMNS: Final = {name: column(name) for name in FIELDS}

make_versioned(user_cls=None, options={"strategy": "subquery"})


class Base(DeclarativeBase):
    """Where the tables are listed."""


def _column(name: str) -> Any:
    if name == "Id":
        return sa.Column(sa.String, primary_key=True)
    if name in NUMBERS:
        return sa.Column(sa.Float)
    return sa.Column(sa.Boolean if name in FLAGS else sa.String)


Opportunity: Any = type(
    "Opportunity",
    (Base,),
    {
        "__tablename__": "opportunity",
        "__versioned__": {},
        **{COLUMNS[name]: _column(name) for name in FIELDS},
    },
)
configure_mappers()


class Store:
    """One versioned class, one session a page."""

    exact = False
    tells = True

    def __init__(self, folder: Path) -> None:
        self._path = folder / "continuum.db"
        self._engine = sa.create_engine(f"sqlite:///{self._path}", module=sqlite)
        sa.event.listen(self._engine, "connect", settle)
        Base.metadata.create_all(self._engine)
        self._versions: Any = version_class(Opportunity)
        self._ends: dict[int, int] = {}

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
                query = sa.select(Opportunity).where(Opportunity.Id.in_(ids))
                stored = {each.Id: each for each in session.scalars(query)}
                for record in records:
                    current = stored.get(record["Id"])
                    if current is None:
                        session.add(Opportunity(**{COLUMNS[n]: v for n, v in record.items()}))
                        continue
                    for name, value in record.items():
                        if getattr(current, COLUMNS[name]) != value:
                            setattr(current, COLUMNS[name], value)
                session.commit()
        with Session(self._engine) as session:
            newest = sa.select(sa.func.max(self._versions.transaction_id))
            self._ends[sync] = session.scalars(newest).one()

    def size(self) -> int:
        """Return the file's bytes."""
        return written_size(self._path)

    def count(self) -> tuple[int, int]:
        """Return how many records and versions there are."""
        with Session(self._engine) as session:
            records = session.scalars(sa.select(sa.func.count()).select_from(Opportunity)).one()
            counted = sa.select(sa.func.count()).select_from(self._versions)
            return records, session.scalars(counted).one()

    def asof(self, id_: str, sync: int) -> Mapping[str, Any]:
        """Select the newest version up to a sync's last transaction."""
        made = self._versions
        query = (
            sa.select(made)
            .where(made.Id == id_, made.transaction_id <= self._ends[sync])
            .order_by(made.transaction_id.desc())
            .limit(1)
        )
        with Session(self._engine) as session:
            found = session.scalars(query).one()
            return {name: getattr(found, attribute) for name, attribute in COLUMNS.items()}

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()
