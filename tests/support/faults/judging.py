"""Holds a store of the story against the truth, and against a store that nothing ever happened to.

The invariants, as numbered in docs/faults.md:

N1  nothing lost: every change of the pages kept is there.
N2  nothing invented: no other change is.
N3  nothing doubled: versions are numbered 1, 2, 3, each once.
N4  acknowledged is durable: the store stands at or after every page after which another was asked
    for; what it holds is exactly what the pages before its cursor told.
N5  the ledger holds: every leaf, node and root recomputed; it only grew since the fault; SQLite
    finds its file sound.
N6  the same end: after one undisturbed run it holds the same versions, by the same actors at the
    same times, as a store that was never broken.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from crmtrail.app import App
from crmtrail.clock import SystemClock
from crmtrail.config import load
from crmtrail.errors import NoStore
from crmtrail.model import Op
from crmtrail.ports import Entry, Query
from snapshot.database import reading
from snapshot.leaves import frontier_of
from snapshot.store import SqlStore
from support.faults.story import OBJECTS, SOURCE, Happening, Truth, story
from support.faults.victim import Place

Line: TypeAlias = tuple[object, ...]
_PAGE = 1000


@dataclass(frozen=True)
class Held:
    """What a store holds, free of anything that differs from run to run."""

    lines: Counter[Line]
    incidents: Counter[Line]
    size: int
    root: str


def reference(place: Place) -> Held:
    """Return what an undisturbed store holds; it has to pass every other judgement itself."""
    found, held = judged(place, {}, whole=True)
    if found or held is None:
        raise RuntimeError(f"an undisturbed store is not as it should be: {found[:5]}")
    return held


def judged(
    place: Place,
    asked: Mapping[str, str],
    *,
    whole: bool = False,
    like: Held | None = None,
    grown_from: Held | None = None,
) -> tuple[list[str], Held | None]:
    """Return what is wrong with a store, and what it holds.

    Args:
        place: where the store is, with the configuration that opens it and its keys.
        asked: by object, the cursor of the last page that was asked for.
        whole: whether the story has to be told to its end.
        like: what the undisturbed store holds.
        grown_from: what this store held before.
    """
    with App(load(place.config)) as app:
        try:
            store = app.store
        except NoStore as error:
            kept = [f"N4 {object_} was at {cursor}" for object_, cursor in asked.items()]
            lost = [one for one in kept if not one.endswith(" 1.1")]
            return ([f"{one}, but {error}" for one in lost], None)
        held = _held(store)
        found = [*_objects(store, asked, held, whole=whole), *_ledger(app, grown_from)]
        if like is not None:
            found += _likeness(held, like, whole=whole)
        return found, held


def _objects(
    store: SqlStore, asked: Mapping[str, str], held: Held, *, whole: bool
) -> Iterator[str]:
    for object_ in OBJECTS:
        told = story(object_)
        cursor = store.standing(SOURCE, object_).cursor
        kept = told.kept(cursor)
        if object_ in asked and kept < told.kept(asked[object_]):
            yield f"N4 {object_}: page {asked[object_]} was asked for, the store is at {cursor}"
        if whole and kept != len(told.order):
            yield f"N6 {object_} is at {cursor}, not at its end"
        yield from _content(store, object_, told.truths[kept], held)


def _content(store: SqlStore, object_: str, truth: Truth, held: Held) -> Iterator[str]:
    lines = [line for line in held.lines.elements() if line[0] == object_]
    happened: Counter[Happening] = Counter()
    versions: Counter[str] = Counter()
    numbers: Counter[tuple[object, object]] = Counter()
    for _, id_, number, op, _, _, changes in lines:
        versions[str(id_)] += 1
        numbers[id_, number] += 1
        happened += _happenings(str(id_), op, changes)
    yield from (f"N1 lost: {one}" for one in (truth.happened - happened).elements())
    yield from (f"N2 invented: {one}" for one in (happened - truth.happened).elements())
    yield from (f"N1 versions lost: {one}" for one in (truth.versions - versions).elements())
    yield from (f"N2 versions invented: {one}" for one in (versions - truth.versions).elements())
    yield from (f"N3 doubled: {one}" for one, times in numbers.items() if times > 1)
    for id_, count in versions.items():
        if any((id_, number) not in numbers for number in range(1, count + 1)):
            yield f"N3 {id_}: versions are not numbered without a gap"
    live = {one.ref.id: one for one in store.records(SOURCE, object_)}
    if live.keys() != truth.fields.keys():
        yield f"N1 records: {sorted(live.keys() ^ truth.fields.keys())}"
    for id_, version in live.items():
        if version.deleted is not (id_ in truth.deleted):
            yield f"N1 {id_}: deleted is {version.deleted}"
        if not version.deleted and dict(version.fields) != truth.fields.get(id_):
            yield f"N1 {id_}: holds {dict(version.fields)}, not {truth.fields.get(id_)}"


def _happenings(id_: str, op: object, changes: object) -> Counter[Happening]:
    if op in {Op.DELETE, Op.UNDELETE}:
        gone = op is Op.DELETE
        return Counter([(id_, "deleted", _said(not gone), _said(gone))])
    if op in {Op.BASELINE, Op.CREATE}:
        return Counter()
    assert isinstance(changes, tuple)
    return Counter((id_, name, old, new) for name, old, new in changes)


def _said(flag: bool) -> str:
    return "true" if flag else "false"


def _ledger(app: App, before: Held | None) -> Iterator[str]:
    told = app.verify()
    if not told.ok:
        yield f"N5 verify: {told.first_bad}"
    if before is not None:
        with reading(app.store.engine) as connection:
            root = frontier_of(connection, before.size).root().hex()
        if root != before.root:
            yield f"N5 the ledger of {before.size} entries had another root before"


def _likeness(held: Held, like: Held, *, whole: bool) -> Iterator[str]:
    yield from (f"N6 unlike: {line}" for line in (held.lines - like.lines).elements())
    if whole:
        yield from (f"N6 missing: {line}" for line in (like.lines - held.lines).elements())
        if held.incidents != like.incidents:
            yield f"N6 incidents: {held.incidents} instead of {like.incidents}"


def _held(store: SqlStore) -> Held:
    lines: Counter[Line] = Counter()
    for object_ in OBJECTS:
        seen = set()
        for op in Op:
            for entry in _entries(store, object_, op):
                made = entry.change_set
                if (made.ref, made.number) not in seen:
                    seen.add((made.ref, made.number))
                    changes = tuple((c.field, c.old, c.new) for c in made.changes)
                    lines[
                        object_, made.ref.id, made.number, made.op, made.at, made.actor, changes
                    ] += 1
    incidents: Counter[Line] = Counter(
        (one.finding.rule, one.finding.title, one.finding.records, one.operation.records)
        for one in store.incidents()
    )
    head = store.checkpoint(SystemClock().now())
    return Held(lines, incidents, head.size, head.root)


def _entries(store: SqlStore, object_: str, op: Op) -> Iterator[Entry]:
    cursor: str | None = None
    while True:
        query = Query(source=SOURCE, object=object_, op=op)
        entries, cursor = store.log(query, limit=_PAGE, cursor=cursor)
        yield from entries
        if cursor is None:
            return
