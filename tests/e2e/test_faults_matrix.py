"""A sample of the fault matrix; `make fault` runs all of it. docs/faults.md says what is broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.faults.tally import Row, table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FAMILIES = ("calls", "locks", "disks", "flips", "servers")
"""The others are test_kill.py and test_tampering.py."""

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory) -> dict[str, list[Row]]:
    """The rows of each family, from one run in a process of its own, which forks its victims."""
    told = tmp_path_factory.mktemp("faults") / "rows.json"
    only = [word for name in FAMILIES for word in ("--only", name)]
    # A victim is measured by nobody: what counts coverage would slow each of its processes.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "support.faults", "--share", "sample", *only, "--json", str(told)],
        env=environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in {0, 1}, ended.stderr
    rows = json.loads(told.read_text())
    return {name: [Row.of(row) for row in rows if row["kind"] == name] for name in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_breaks_nothing_is_lost_invented_or_doubled(family, matrix, capsys):
    rows = matrix[family]
    assert rows
    for row in rows:
        assert not row.violations, row.violations
    with capsys.disabled():
        sys.stdout.write(f"\n{table(rows)}\n")
    if missing := [row.note for row in rows if row.note]:
        pytest.skip("; ".join(missing))
    assert all(row.cases for row in rows)
