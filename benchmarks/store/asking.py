"""The questions for which there are targets, each asked many times."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from contender import Asked, Contender, NotHere
from shape import EDITED, USERS, seeded, user_id
from stopwatch import Spent, resident_peak
from world import Truth, World, record_id

_TIMES: Final = 300
_WINDOW: Final = 30
"""Syncs in a window of ten days."""
_SEED: Final = 7


def ask(contender: Contender, world: World) -> dict[str, Any]:
    """Ask everything but the export; milliseconds unless said otherwise."""
    if not isinstance(contender, Asked):
        return {}
    rng = seeded(_SEED)
    syncs = world.syncs + world.depth
    edits = Truth(world).sample(_TIMES, syncs=world.syncs)
    ids = [record_id(number) for number, _ in edits]
    deep = world.deep_ids() if world.depth else []
    window = min(_WINDOW, world.syncs)
    starts = [int(rng.random() * (world.syncs - window + 1)) for _ in range(_TIMES)]
    fields = rng.choices(tuple(EDITED), k=_TIMES)
    return {
        "timeline": _p95((contender.timeline, (id_,)) for id_ in ids),
        "asof": _p95((contender.asof, (record_id(number), sync)) for number, sync in edits),
        "asof_deep": _p95(
            (contender.asof, (id_, syncs - 1 - int(rng.random() * 3))) for id_ in deep
        ),
        "by_field": _p95(
            (contender.by_field, (name, start, start + window))
            for name, start in zip(fields, starts, strict=True)
        ),
        "by_actor": _p95(
            (contender.by_actor, (user_id(int(rng.random() * USERS)), start, start + window))
            for start in starts
        ),
        "blanks": _p95(
            (contender.blanks, (name, start, start + window))
            for name, start in zip(fields, starts, strict=True)
        ),
        "proof": _p95((contender.proof, (id_,)) for id_ in ids),
        "diff": _diff(contender, world, window),
        "verify": _verify(contender),
        "peak": resident_peak(),
    }


def export(contender: Contender, world: World) -> dict[str, Any]:
    """Read every record as it is now; the peak of memory is of this alone."""
    if not isinstance(contender, Asked):
        return {}
    before, spent = resident_peak(), Spent()
    with spent.running():
        count = contender.export()
    if count != world.size:
        return {"wrong": f"exported {count:,} of {world.size:,} records"}
    return {**spent.told(), "records": count, "before": before, "peak": resident_peak()}


def _p95(calls: Iterable[tuple[Callable[..., Any], tuple[Any, ...]]]) -> Mapping[str, Any]:
    """Return median and 95th percentile, in CPU and in wall time, and the answers' mean size."""
    walls, cpus, answers = [], [], 0
    try:
        for call, arguments in calls:
            spent = Spent()
            with spent.running():
                answer = call(*arguments)
            walls.append(spent.wall * 1000)
            cpus.append(spent.cpu * 1000)
            answers += answer if isinstance(answer, int) else len(answer)
    except NotHere as reason:
        return {"missing": str(reason)}
    if not cpus:
        return {"missing": "nothing to ask for"}
    return {
        "p50": _share(cpus, 0.5),
        "p95": _share(cpus, 0.95),
        "wall_p50": _share(walls, 0.5),
        "wall_p95": _share(walls, 0.95),
        "times": len(cpus),
        "each": answers / len(cpus),
    }


def _share(took: list[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * share))]


def _diff(contender: Asked, world: World, window: int) -> Mapping[str, float]:
    spent = Spent()
    with spent.running():
        changes = contender.diff(world.syncs - window, world.syncs)
    return {**spent.told(), "changes": changes}


def _verify(contender: Asked) -> Mapping[str, float]:
    spent = Spent()
    with spent.running():
        entries = contender.verify()
    return {**spent.told(), "entries": entries}
