"""The seeded data set: pages as the vendor would send them, and the truth about every version.

A world is a folder, written once, a page at a time. Every contender reads the same files::

    load-00000.json ...       the first load, 2,000 records a page
    sync-00001.json ...       what changed until each sync, one page each (2,000 records at most)
    deep-00001.json ...       the same few records changed again and again
    truth.jsonl               one line a sync: who changed what, and when
    world.json                the figures of `World`

Synthetic text compresses well: on real data a record will take more bytes, a version hardly.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from shape import BOOKKEEPING, FIELDS, OBJECT, USERS, edited, fresh, seeded, user_id

PAGE: Final = 2_000
"""Records a page (Salesforce REST query)."""

LOADED: Final = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
EVERY: Final = timedelta(hours=8)
_SEED: Final = 20_260_301
_ADDRESS: Final = f"/services/data/v62.0/sobjects/{OBJECT}/"
_TEMPLATE: Final = (
    f'{{"attributes":{{"type":"{OBJECT}","url":"{_ADDRESS}%s"}},'
    + ",".join(f'"{name}":%s' for name in FIELDS)
    + "}"
)
_MANY_SYNCS: Final = 100_000
"""Seeds of syncs and of records keep apart by this many."""


@dataclass(frozen=True, slots=True)
class World:
    """The figures of one data set.

    Attributes:
        folder: where its files are.
        size: how many records there are.
        syncs: how many syncs follow the first load.
        changed: how many records each sync finds changed.
        deep: how many records are changed in each of ``depth`` more syncs.
        depth: see ``deep``.
        loaded: bytes of JSON of all records of the first load, without the page around them.
        token_bytes: bytes of the old and new values of all changes in the syncs.
        changes: how many field values the syncs change.
        deep_token_bytes: as ``token_bytes``, of the deep syncs.
    """

    folder: str
    size: int
    syncs: int
    changed: int
    deep: int
    depth: int
    loaded: int = 0
    token_bytes: int = 0
    changes: int = 0
    deep_token_bytes: int = 0

    @classmethod
    def read(cls, folder: str) -> Self:
        """Read the figures of a world that was written."""
        return cls(**json.loads(Path(folder, "world.json").read_text()))

    def pages(self, part: str) -> Iterator[Path]:
        """Yield the files of one part (load, sync, deep) in order."""
        yield from sorted(Path(self.folder).glob(f"{part}-*.json"))

    def at(self, sync: int) -> datetime:
        """Return when the vendor answered a sync; 0 is the first load."""
        return LOADED + sync * EVERY

    def versions(self, *, deep: bool) -> int:
        """Return how many versions there are after all syncs."""
        last = min(self.deep, self.size) * self.depth if deep else 0
        return self.size + min(self.changed, self.size) * self.syncs + last

    def deep_ids(self) -> Sequence[str]:
        """Return the ids of the records that are changed again and again."""
        return [record_id(number) for number in _deep(self)]


@dataclass(frozen=True, slots=True)
class Edit:
    """What one person did to one record between two syncs: field to old and new token."""

    record: int
    actor: str
    at: datetime
    changes: Mapping[str, tuple[str, str]]


def record_id(number: int) -> str:
    """Return the 18-character id of a record."""
    return f"0065g00000{number:06d}AB"


def first(number: int) -> dict[str, str]:
    """Return all fields of a record as first loaded: exact tokens by name."""
    rng = seeded(_SEED + _MANY_SYNCS + number)
    made = fresh(rng)
    at = LOADED - timedelta(seconds=int(rng.random() * 60_000_000) + 3600)
    editor = user_id(int(rng.random() * USERS))
    return {"Id": f'"{record_id(number)}"', **made, **_kept(at, editor)}


def write(world: World) -> World:
    """Write a world to its folder; return it with what was counted on the way."""
    folder = Path(world.folder)
    loaded = _write_load(world, folder)
    totals = {"token_bytes": 0, "changes": 0, "deep_token_bytes": 0}
    touched: dict[int, dict[str, str]] = {}
    with (folder / "truth.jsonl").open("w") as truth:
        for sync in range(1, world.syncs + world.depth + 1):
            is_deep = sync > world.syncs
            edits = list(_edits(world, sync, touched))
            part = f"deep-{sync:05d}" if is_deep else f"sync-{sync:05d}"
            _write_page(folder / f"{part}.json", (touched[edit.record] for edit in edits))
            truth.write(_line(edits))
            size = sum(len(old) + len(new) for e in edits for old, new in e.changes.values())
            totals["deep_token_bytes" if is_deep else "token_bytes"] += size
            totals["changes"] += 0 if is_deep else sum(len(edit.changes) for edit in edits)
    written = World(**{**asdict(world), **totals, "loaded": loaded})
    (folder / "world.json").write_text(json.dumps(asdict(written)))
    return written


class Truth:
    """What really happened, read back from the folder; keeps no more than it was asked for."""

    def __init__(self, world: World) -> None:
        self._world = world

    def edits(self, sync: int) -> list[Edit]:
        """Return the edits that one sync brought."""
        return next(edits for number, edits in self._all() if number == sync)

    def edits_of(self, records: Iterable[int]) -> dict[int, list[tuple[int, Edit]]]:
        """Return all edits of some records, each with the sync that brought it."""
        found: dict[int, list[tuple[int, Edit]]] = {number: [] for number in records}
        for sync, edits in self._all():
            for edit in edits:
                if edit.record in found:
                    found[edit.record].append((sync, edit))
        return found

    def states(self, asked: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, dict[str, str]]]:
        """Yield, for (record, sync), the record's fields as of that sync, without bookkeeping."""
        edits = self.edits_of(number for number, _ in asked)
        for number, sync in asked:
            state = first(number)
            for brought, edit in edits[number]:
                if brought <= sync:
                    state.update({name: new for name, (_, new) in edit.changes.items()})
            yield number, sync, {n: token for n, token in state.items() if n not in BOOKKEEPING}

    def sample(self, many: int, *, syncs: int) -> list[tuple[int, int]]:
        """Return (record, sync) to ask for; half of the records were changed at some time."""
        rng = seeded(_SEED)
        asked: list[tuple[int, int]] = []
        for sync, edits in self._all():
            if sync <= syncs:
                asked += [(edit.record, sync - int(rng.random() * 2)) for edit in edits[:many]]
        asked = rng.sample(asked, min(many // 2, len(asked)))
        while len(asked) < many:
            asked.append((int(rng.random() * self._world.size), int(rng.random() * (syncs + 1))))
        return asked

    def _all(self) -> Iterator[tuple[int, list[Edit]]]:
        with Path(self._world.folder, "truth.jsonl").open() as lines:
            for sync, line in enumerate(lines, start=1):
                yield sync, [_edit(*told) for told in json.loads(line)]


def _write_load(world: World, folder: Path) -> int:
    loaded = 0
    for start in range(0, world.size, PAGE):
        numbers = range(start, min(start + PAGE, world.size))
        loaded += _write_page(folder / f"load-{start // PAGE:05d}.json", map(first, numbers))
    return loaded


def _write_page(path: Path, records: Iterable[Mapping[str, str]]) -> int:
    texts = [_TEMPLATE % (record["Id"][1:-1], *record.values()) for record in records]
    path.write_text(
        f'{{"totalSize":{len(texts)},"done":true,"records":[{",".join(texts)}]}}', "utf-8"
    )
    return sum(map(len, texts))


def _edits(world: World, sync: int, touched: dict[int, dict[str, str]]) -> Iterator[Edit]:
    """Yield the edits before a sync; ``touched`` holds the records changed so far and moves on."""
    rng = seeded(_SEED + sync)
    if sync > world.syncs:
        numbers: Sequence[int] = _deep(world)
    else:
        numbers = sorted(rng.sample(range(world.size), min(world.changed, world.size)))
    for number in numbers:
        state = touched.get(number) or first(number)
        made = edited(rng, state)
        at = world.at(sync) - timedelta(seconds=1 + int(rng.random() * 28_000))
        actor = user_id(int(rng.random() * USERS))
        changes = {name: (state[name], token) for name, token in made.items()}
        touched[number] = {**state, **made, **_kept(at, actor)}
        yield Edit(number, actor, at, changes)


def _deep(world: World) -> list[int]:
    return sorted(seeded(_SEED - 1).sample(range(world.size), min(world.deep, world.size)))


def _kept(at: datetime, editor: str) -> dict[str, str]:
    stamp = f'"{at:%Y-%m-%dT%H:%M:%S}.000+0000"'
    return dict(zip(BOOKKEEPING, (stamp, f'"{editor}"', stamp), strict=True))


def _line(edits: Iterable[Edit]) -> str:
    told = [[e.record, e.actor, e.at.timestamp(), e.changes] for e in edits]
    return json.dumps(told, separators=(",", ":")) + "\n"


def _edit(record: int, actor: str, at: float, changes: Mapping[str, Any]) -> Edit:
    pairs = {name: (old, new) for name, (old, new) in changes.items()}
    return Edit(record, actor, datetime.fromtimestamp(at, UTC), pairs)
