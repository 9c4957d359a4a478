"""Measure crmtrail's store beside the physical floor and other products.

    python benchmarks/store/run.py [--size 100000|1000000] [--quick] [--write]

See ../README.md for what the figures mean.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from contender import ENTRANTS
from heats import Heat, Place, race, say, stage
from report import shown, whole
from targets import Measured
from world import World

_LARGE: Final = 500_000
_SMALLER: Final = 100_000
_RESULTS: Final = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    """Run the heats and print the tables."""
    given = _arguments()
    names = given.only or [n for n in ENTRANTS if n != "postgres" or given.postgres]
    with TemporaryDirectory(prefix="crmtrail-store-") as temporary:
        place = Place(
            Path(given.folder or temporary),
            (sys.executable, *filter(None, (given.peers_python,))),
            given.postgres,
        )
        found = measured(place, given, names)
    for line in shown(found):
        print(line)
    if given.write:
        command = f"python benchmarks/store/run.py {' '.join(_shown(sys.argv[1:]))}"
        _RESULTS.write_text(whole(found, command, place.pythons))
        say(f"wrote {_RESULTS}")


def measured(place: Place, given: argparse.Namespace, names: Sequence[str]) -> Measured:
    """Run everything that was asked for."""
    world = place.world(World("", given.size, given.syncs, given.changed, given.deep, given.depth))
    own = [name for name in names if not ENTRANTS[name].peer]
    main = race(place, world, own, given.rounds)
    told = {}
    if "ours" in main.rounds:
        told = {what: stage(place, world, "ours", what) for what in ("ask", "export")}
        told["account"] = _accounted(place, world)
    smaller = None
    if given.size >= _LARGE and "ours" in main.rounds:
        few = World("", _SMALLER, given.syncs, given.changed, 0, 0)
        smaller = race(place, place.world(few), ["ours"], 1)
    return Measured(main, _peers(place, given, names), smaller, told)


def _accounted(place: Place, world: World) -> dict[str, object]:
    """Fill a store of its own once more, with a stopwatch at the ledger's functions."""
    apart = replace(place, folder=place.folder / "accounting")
    (apart.folder / f"ours-{world.size}").mkdir(parents=True)
    return dict(stage(apart, world, "ours", "account"))


def _peers(place: Place, given: argparse.Namespace, names: Sequence[str]) -> Heat:
    peers = [name for name in names if ENTRANTS[name].peer]
    world = World("", given.peer_size, given.peer_syncs, given.changed, 0, 0)
    if not peers:
        return Heat(world)
    return race(place, place.world(world), ["ours", *peers], given.peer_rounds)


def _arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description="Measure the store.")
    options.add_argument("--size", type=int, default=100_000, help="records of the main heat")
    options.add_argument("--syncs", type=int, help="syncs (100; 30 of a million records)")
    options.add_argument("--changed", type=int, default=1_000, help="changed records a sync")
    options.add_argument("--rounds", type=int, help="rounds (3; 1 of a million records)")
    options.add_argument("--peer-size", type=int, default=20_000)
    options.add_argument("--peer-syncs", type=int, default=5)
    options.add_argument("--peer-rounds", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="2,000 records, to see that it works")
    options.add_argument("--only", type=_names, help=f"some of: {','.join(ENTRANTS)}")
    options.add_argument(
        "--postgres", default="", help="URL of a PostgreSQL server, where databases may be created"
    )
    options.add_argument(
        "--peers-python",
        default=os.environ.get("CRMTRAIL_PEERS_PYTHON", ""),
        help="interpreter that has the other products, where this one has not",
    )
    options.add_argument("--folder", help="keep the data set and the stores there")
    options.add_argument("--write", action="store_true", help="write RESULTS.md")
    given = options.parse_args()
    given.deep, given.depth = 200, 200
    if given.quick:
        given.size, given.syncs, given.rounds = 2_000, given.syncs or 4, given.rounds or 1
        given.peer_size, given.peer_syncs, given.deep, given.depth = 1_000, 2, 20, 40
        given.changed = 200
    given.syncs = given.syncs or (30 if given.size >= _LARGE else 100)
    given.rounds = given.rounds or (1 if given.size >= _LARGE else 3)
    return given


def _shown(arguments: list[str]) -> list[str]:
    """Return the command's arguments without paths of this machine."""
    return ["PATH" if "/" in each else each for each in arguments]


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = sorted(set(names) - set(ENTRANTS))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such contender: {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    main()
