"""Shares cases out over processes, each of which forks its own victims."""

import multiprocessing
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

from support.faults.tally import Row, merged

C = TypeVar("C")


def shared_out(cases: Sequence[C], run: Callable[[C], Row], jobs: int) -> list[Row]:
    """Run every case, in so many processes, and return the rows added up.

    Raises:
        RuntimeError: a process ended without an answer.
    """
    context = multiprocessing.get_context("fork")
    started = []
    for number in range(jobs):
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(cases[number::jobs], run, theirs))
        process.start()
        theirs.close()
        started.append((process, mine))
    rows: list[Row] = []
    for process, mine in started:
        with mine:
            try:
                rows += mine.recv()
            except EOFError:
                process.join()
                raise RuntimeError("a process of the fault matrix died; see its words") from None
        process.join()
    return merged(rows)


def _work(
    cases: Sequence[C], run: Callable[[C], Row], answer: "multiprocessing.connection.Connection"
) -> None:
    rows: list[Row] = []
    try:
        for number, case in enumerate(cases, start=1):
            rows = merged([*rows, run(case)])
            if number % 200 == 0:
                sys.stderr.write(f"{number:,} of {len(cases):,}\n")
        answer.send(rows)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        answer.close()
