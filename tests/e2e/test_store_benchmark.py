"""The store's benchmark runs and leaves no target out; its timings are nobody's business here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "store" / "run.py"
ROWS = re.compile(r"^\| (\d[a-z]) .*\| +(.+?) +\| +(.+?) +\| +(.+?) +\|$", re.MULTILINE)
NUMBER = re.compile(r"^[\d,.e+-]+( %| ms| µs| B| MiB)?$")


@pytest.fixture(scope="module")
def printed():
    command = [sys.executable, str(BENCHMARK), "--quick", "--only", "floor,ours"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
class TestQuickRun:
    def test_the_floor_and_the_store_are_both_in_the_table(self, printed):
        rows = [line.split("|") for line in printed.splitlines() if " records" not in line]
        labels = [row[1].strip() for row in rows if len(row) > 9]
        assert "floor: slice and insert raw" in labels
        assert "crmtrail, SQLite" in labels

    def test_nothing_failed_and_every_answer_was_true(self, printed):
        assert "WRONG" not in printed
        assert "FAILED" not in printed
        assert "As-of answers held against the truth: 200 of each." in printed

    def test_every_target_has_its_row(self, printed):
        found = ROWS.findall(printed)
        assert [number[0] for number, *_ in found] == sorted(number[0] for number, *_ in found)
        assert {number[0] for number, *_ in found} == set("1234567")
        for number, bound, measured, met in found:
            assert bound.startswith(("at least ", "at most ")), number
            if measured.startswith("not measured: "):
                assert met == "-", number
            else:
                assert NUMBER.match(measured), (number, measured)
                assert met.startswith(("yes", "NO")), number

    def test_only_what_needs_others_or_a_million_records_is_not_measured(self, printed):
        missing = {
            number for number, _, measured, _ in ROWS.findall(printed) if "not measured" in measured
        }
        assert missing <= {"1b", "1c", "2a", "2b", "2c", "3b", "5a", "5b", "6e"}
