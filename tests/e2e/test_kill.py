"""kill -9 at random moments of a sync and of a restore; then the same command again.

A sample of what `make fault` does at length.
"""

import sys
from collections.abc import Iterator

import pytest

from support.faults.kills import restores, syncs
from support.faults.tally import Row
from support.kill_bench import SOURCES
from support.killable import CommandLine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 3
"""For each of the two CRMs."""


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with CommandLine(tmp_path_factory.mktemp("cli")) as made:
        yield made


@pytest.mark.parametrize("crm", SOURCES)
def test_a_killed_sync_loses_nothing_and_doubles_nothing(crm, cli, tmp_path, capsys):
    row = syncs(crm, cli, tmp_path, KILLS)
    assert not row.violations, row.violations
    assert row.cases >= KILLS
    with capsys.disabled():
        sys.stdout.write(f"\n{told(row)} of a sync of {crm}: 0 lost, 0 doubled\n")


@pytest.mark.parametrize("crm", SOURCES)
def test_a_killed_restore_writes_each_record_once(crm, cli, tmp_path, capsys):
    row, plans = restores(crm, cli, tmp_path, KILLS)
    assert not row.violations, row.violations
    assert row.cases >= KILLS
    with capsys.disabled():
        what = f"{plans} restores on {crm}: 0 written twice, 0 overwritten"
        sys.stdout.write(f"\n{told(row)} of {what}\n")


def told(row: Row) -> str:
    sorts = ", ".join(f"{count} {sort}" for sort, count in sorted(row.outcomes.items()) if count)
    return f"{row.cases} kills ({sorts})"
