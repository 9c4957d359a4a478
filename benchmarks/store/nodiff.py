"""The simplest honest history: a zstd copy of each record that changed, and no diff.

A record whose bytes are as before is not stored again. The copies are compressed with a dictionary
trained on the first page, as a careful author would.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import xxhash
import zstandard
from lite import connected, size_of

_TABLES: Final = (
    """CREATE TABLE record (record_id INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
        newest INTEGER NOT NULL, hash BLOB NOT NULL)""",
    """CREATE TABLE version (version_id INTEGER PRIMARY KEY, record_id INTEGER NOT NULL,
        sync INTEGER NOT NULL, actor TEXT NOT NULL, at TEXT NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX version_of ON version (record_id, version_id)",
    "CREATE INDEX version_by ON version (actor, version_id)",
    "CREATE TABLE codec (codec_id INTEGER PRIMARY KEY, dictionary BLOB NOT NULL)",
)
_LEVEL: Final = 3
_DICTIONARY: Final = 32_768
_SAMPLES: Final = 500


class _Answer(msgspec.Struct):
    records: list[msgspec.Raw]


class _Head(msgspec.Struct):
    Id: str
    LastModifiedById: str
    SystemModstamp: str


class Store:
    """Whole copies, compressed."""

    exact = True
    tells = True

    def __init__(self, folder: Path) -> None:
        path = folder / "nodiff.db"
        self._connection = connected(path, *_TABLES)
        self._answer = msgspec.json.Decoder(_Answer)
        self._head = msgspec.json.Decoder(_Head)
        self._fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._next = self._scalar("SELECT coalesce(max(version_id), 0) + 1 FROM version")
        self._next_record = self._scalar("SELECT coalesce(max(record_id), 0) + 1 FROM record")
        kept = self._connection.execute("SELECT dictionary FROM codec").fetchone()
        if kept:
            self._use(kept[0])

    def load(self, pages: Iterable[bytes]) -> None:
        """Store every record."""
        self._keep(0, pages)

    def recheck(self, pages: Iterable[bytes]) -> None:
        """Compare every record's hash."""
        self._keep(0, pages)

    def sync(self, number: int, pages: Iterable[bytes]) -> None:
        """Store the records that changed."""
        self._keep(number, pages)

    def size(self) -> int:
        """Return the file's bytes."""
        return size_of(self._connection)

    def count(self) -> tuple[int, int]:
        """Return how many records and versions there are."""
        records = self._scalar("SELECT count(*) FROM record")
        return records, self._scalar("SELECT count(*) FROM version")

    def asof(self, id_: str, sync: int) -> Mapping[str, str]:
        """Decompress the newest copy up to a sync."""
        found = self._connection.execute(
            "SELECT v.body FROM record AS r CROSS JOIN version AS v ON v.record_id = r.record_id"
            " WHERE r.id = ? AND v.sync <= ? ORDER BY v.version_id DESC LIMIT 1",
            (id_, sync),
        ).fetchone()
        return self._tokens(found[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _keep(self, sync: int, pages: Iterable[bytes]) -> None:
        head = self._head.decode
        for page in pages:
            raws = [bytes(raw) for raw in self._answer.decode(page).records]
            if self._next == 1:
                self._train(raws)
            told = [head(raw) for raw in raws]
            stored = self._stored([one.Id for one in told])
            new, changed, versions = [], [], []
            for one, raw in zip(told, raws, strict=True):
                known = stored.get(one.Id)
                digest = xxhash.xxh3_128_digest(raw)
                if known is not None and known[1] == digest:
                    continue
                if known is None:
                    row = self._next_record
                    self._next_record += 1
                    new.append((row, one.Id, self._next, digest))
                else:
                    row = known[0]
                    changed.append((self._next, digest, row))
                body = self._compress(raw)
                actor, at = one.LastModifiedById, one.SystemModstamp
                versions.append((self._next, row, sync, actor, at, body))
                self._next += 1
            self._write(new, changed, versions)

    def _write(self, new: Sequence[Any], changed: Sequence[Any], versions: Sequence[Any]) -> None:
        run = self._connection
        run.execute("BEGIN IMMEDIATE")
        run.executemany("INSERT INTO record VALUES (?, ?, ?, ?)", new)
        run.executemany("UPDATE record SET newest = ?, hash = ? WHERE record_id = ?", changed)
        run.executemany("INSERT INTO version VALUES (?, ?, ?, ?, ?, ?)", versions)
        run.execute("COMMIT")

    def _stored(self, ids: Sequence[str]) -> Mapping[str, tuple[int, bytes]]:
        rows = self._connection.execute(
            "SELECT r.id, r.record_id, r.hash FROM json_each(?) AS j"
            " CROSS JOIN record AS r ON r.id = j.value",
            (json.dumps(ids),),
        )
        return {id_: (row, digest) for id_, row, digest in rows}

    def _train(self, raws: Sequence[bytes]) -> None:
        samples: list[Any] = list(raws[:_SAMPLES])
        try:
            dictionary = zstandard.train_dictionary(_DICTIONARY, samples).as_bytes()
        except zstandard.ZstdError:  # too few samples: their bytes serve as well
            dictionary = b"".join(samples)[:_DICTIONARY]
        self._connection.execute("INSERT INTO codec (dictionary) VALUES (?)", (dictionary,))
        self._use(dictionary)

    def _use(self, dictionary: bytes) -> None:
        trained = zstandard.ZstdCompressionDict(dictionary)
        trained.precompute_compress(level=_LEVEL)
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=trained).compress
        self._decompress = zstandard.ZstdDecompressor(dict_data=trained).decompress

    def _tokens(self, body: bytes) -> Mapping[str, str]:
        found = self._fields.decode(self._decompress(body))
        return {n: bytes(raw).decode() for n, raw in found.items() if n != "attributes"}

    def _scalar(self, statement: str) -> int:
        found: int = self._connection.execute(statement).fetchone()[0]
        return found
