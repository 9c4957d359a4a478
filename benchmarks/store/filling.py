"""First load, re-check, syncs, and whether what is stored is true."""

import json
from collections.abc import Mapping
from typing import Any, Final

from contender import Asked, Contender
from stopwatch import Spent, resident_peak
from world import Truth, World, record_id

_ASKED: Final = 200


def fill(contender: Contender, world: World) -> dict[str, Any]:
    """Let a contender take in a whole world, and ask it for what it should know."""
    load, recheck = Spent(), Spent()
    with load.running():
        contender.load(load.pages(world.pages("load")))
    loaded = contender.size()
    with recheck.running():
        contender.recheck(recheck.pages(world.pages("load")))
    rechecked = contender.size()
    syncs = _syncs(contender, world, "sync", 1)
    synced = contender.size()
    # Only ours is asked about records with hundreds of versions.
    is_ours = isinstance(contender, Asked)
    deep = _syncs(contender, world, "deep", world.syncs + 1) if is_ours else []
    records, versions = contender.count()
    return {
        "load": load.told(),
        "recheck": recheck.told(),
        "syncs": syncs,
        "deep": deep,
        "sizes": [loaded, rechecked, synced, contender.size()],
        "records": records,
        "versions": versions,
        "peak": resident_peak(),
        **untruths(contender, world),
    }


def _syncs(contender: Contender, world: World, part: str, first: int) -> list[dict[str, float]]:
    spent = []
    for number, file in enumerate(world.pages(part), start=first):
        each = Spent()
        with each.running():
            contender.sync(number, each.pages([file]))
        spent.append(each.told())
    return spent


def untruths(contender: Contender, world: World) -> dict[str, Any]:
    """Return how many as-of answers were asked for, and those that were wrong."""
    if not contender.tells:
        return {"asked": 0, "wrong": 0, "wrong_ones": []}
    truth = Truth(world)
    asked = truth.sample(_ASKED, syncs=world.syncs)
    wrong = []
    expected_count = world.size, world.versions(deep=isinstance(contender, Asked))
    if contender.count() != expected_count:
        wrong.append(f"holds {contender.count()} records and versions, not {expected_count}")
    for number, sync, expected in truth.states(asked):
        found = contender.asof(record_id(number), sync)
        if not found:
            wrong.append(f"{record_id(number)} at sync {sync}: no answer")
            continue
        differing = _differing(found, expected, exact=contender.exact)
        if differing:
            wrong.append(f"{record_id(number)} at sync {sync}: {', '.join(differing[:3])}")
    return {"asked": len(asked), "wrong": len(wrong), "wrong_ones": wrong[:5]}


def _differing(found: Mapping[str, Any], expected: Mapping[str, str], *, exact: bool) -> list[str]:
    if exact:
        return [name for name, token in expected.items() if found.get(name) != token]
    return [name for name, token in expected.items() if found.get(name) != json.loads(token)]
