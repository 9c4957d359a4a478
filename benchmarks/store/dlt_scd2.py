"""dlt with the merge strategy ``scd2``: one run for the first load, one for each sync.

``merge_key`` is the id, so that a record that is not in a sync stays valid (its documentation's way
of incremental scd2). Into DuckDB, its usual place on one machine, or into SQLite through its
SQLAlchemy destination; the pages are plain values, or Arrow tables with a hash as row version,
which spares dlt its own normalising.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from contender import sliced
from lite import written_size
from shape import FIELDS, FLAGS, NUMBERS
from world import EVERY, LOADED

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "SCHEMA__NAMING": "direct",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
}

import dlt

_VERSION: Final = "row_version"
_DATASET: Final = "crm"
_TABLE: Final = "opportunity"


def _hint(name: str) -> dict[str, Any]:
    kind = "double" if name in NUMBERS else "bool" if name in FLAGS else "text"
    return {"data_type": kind, "nullable": name != "Id"}


class Store:
    """One pipeline with one table."""

    exact = False
    tells = True

    def __init__(self, folder: Path, *, where: str, arrow: str = "") -> None:
        self._arrow = bool(arrow)
        self._where = where
        self._path = folder / ("dlt.duckdb" if where == "duckdb" else "dlt.db")
        destination: Any = (
            dlt.destinations.duckdb(str(self._path))
            if where == "duckdb"
            else dlt.destinations.sqlalchemy(f"sqlite:///{self._path}")
        )
        self._pipeline = dlt.pipeline(
            "bench",
            destination=destination,
            dataset_name=_DATASET,
            pipelines_dir=str(folder / "pipelines"),
        )

    def load(self, pages: Iterable[bytes]) -> None:
        """Load every record in one run."""
        self._run(0, pages)

    def recheck(self, pages: Iterable[bytes]) -> None:
        """Load every record again."""
        self._run(0, pages)

    def sync(self, number: int, pages: Iterable[bytes]) -> None:
        """Load what changed."""
        self._run(number, pages)

    def _run(self, sync: int, pages: Iterable[bytes]) -> None:
        disposition: dict[str, Any] = {
            "disposition": "merge",
            "strategy": "scd2",
            "boundary_timestamp": (LOADED + sync * EVERY).isoformat(),
        }
        if self._arrow:
            disposition["row_version_column_name"] = _VERSION
        resource = dlt.resource(
            _tables(pages) if self._arrow else sliced(pages),
            name=_TABLE,
            merge_key="Id",
            write_disposition=disposition,
            columns=None if self._arrow else {name: _hint(name) for name in FIELDS},
        )
        told = self._pipeline.run(
            resource, loader_file_format="parquet" if self._where == "duckdb" else None
        )
        told.raise_on_failed_jobs()

    def size(self) -> int:
        """Return the bytes of the data set; what dlt stages it in is left out where it can be."""
        if self._where == "duckdb":
            with self._pipeline.sql_client() as client:
                client.execute_sql("CHECKPOINT")
                used = "SELECT used_blocks * block_size FROM pragma_database_size()"
                return int((client.execute_sql(used) or [[0]])[0][0])
        return written_size(self._path.with_name(f"dlt__{_DATASET}.db"))

    def count(self) -> tuple[int, int]:
        """Return how many records and versions there are."""
        with self._pipeline.sql_client() as client:
            rows = client.execute_sql(
                f'SELECT count(DISTINCT "Id"), count(*) FROM {client.make_qualified_table_name(_TABLE)}'  # noqa: S608, E501 -- a name of ours
            )
        return tuple(rows[0])

    def asof(self, id_: str, sync: int) -> Mapping[str, Any]:
        """Select the row that was valid at a time."""
        moment: Any = LOADED + sync * EVERY
        if self._where == "sqlite":
            moment = f"{moment:%Y-%m-%d %H:%M:%S.%f}"  # as SQLAlchemy writes it there
        names = ", ".join(f'"{name}"' for name in FIELDS)
        with self._pipeline.sql_client() as client:
            rows = client.execute_sql(
                f"SELECT {names} FROM {client.make_qualified_table_name(_TABLE)}"  # noqa: S608 -- as above
                ' WHERE "Id" = %s AND _dlt_valid_from <= %s'
                " AND (_dlt_valid_to IS NULL OR _dlt_valid_to > %s)",
                id_,
                moment,
                moment,
            )
        return dict(zip(FIELDS, rows[0], strict=True)) if rows else {}

    def close(self) -> None:
        """Nothing stays open between runs."""


def _tables(pages: Iterable[bytes]) -> Iterator[Any]:
    """Yield each page as an Arrow table; the row version is a hash of the record's bytes."""
    import msgspec  # noqa: PLC0415 -- only this way needs them
    import pyarrow as pa  # noqa: PLC0415
    import xxhash  # noqa: PLC0415

    class Answer(msgspec.Struct):
        records: list[msgspec.Raw]

    slices = msgspec.json.Decoder(Answer)
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    kinds = {
        name: pa.float64() if name in NUMBERS else pa.bool_() if name in FLAGS else pa.string()
        for name in FIELDS
    }
    schema = pa.schema([*kinds.items(), (_VERSION, pa.string())])
    for page in pages:
        raws = slices.decode(page).records
        rows = [{**decode(raw), _VERSION: xxhash.xxh3_128_hexdigest(raw)} for raw in raws]
        yield pa.Table.from_pylist(rows, schema=schema)
