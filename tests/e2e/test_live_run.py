"""The live run itself: what it needs, what it refuses, and that it passes against the sandbox."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.live_findings import ASSUMPTIONS
from support.sandbox import running_sandbox

ROOT = Path(__file__).parents[2]
LIVE = ROOT / "tests" / "live"
ROW = re.compile(r"^\| (.+?) +\| (confirmed|refuted|open) +\| (.+?) +\|$", re.MULTILINE)


def run(folder, *arguments, **live):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CRMTRAIL_", "PYTEST_"))}
    variables = {f"LIVE_SF_{name}": value for name, value in live.items()}
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"),
               "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-q", *arguments]  # fmt: skip
    return subprocess.run(
        command, cwd=folder, env=kept | variables, capture_output=True, text=True, check=False
    )


@pytest.fixture
def org():
    with running_sandbox() as (server, control):
        tokens = control.people("salesforce")["tokens"]
        yield control, {"URL": server.url, "TOKEN": tokens["restorer"]}


def become_sandbox(control):
    (own,) = control.truth("salesforce", "Organization")
    control.act("salesforce", do="update", object="Organization", ids=[own["Id"]],
                fields={"IsSandbox": True})  # fmt: skip


def contacts(control):
    return {row["Id"]: row for row in control.truth("salesforce", "Contact")}


@pytest.mark.slow
class TestLiveRun:
    def test_it_passes_against_a_sandbox_org_and_tells_what_it_found(self, org, tmp_path):
        control, where = org
        become_sandbox(control)
        before = contacts(control)
        done = run(tmp_path, str(LIVE), WRITE="1", **where)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "skipped" not in done.stdout.splitlines()[-1], done.stdout
        after = contacts(control)
        made = {id_: row for id_, row in after.items() if id_ not in before}
        assert {id_: after[id_] for id_ in before} == before
        assert [row["deleted"] for row in made.values()] == [True] * 3
        assert all(row["LastName"].startswith("crmtrail live test ") for row in made.values())
        report = (tmp_path / "live-salesforce.md").read_text(encoding="utf-8")
        told = {text: ruling for text, ruling, _ in ROW.findall(report)}
        assert told.keys() == {one.text for one in ASSUMPTIONS.values()}
        # What the sandbox is known to do, and to do otherwise.
        assert told[ASSUMPTIONS["412"].text] == "confirmed"
        assert told[ASSUMPTIONS["ingest-order"].text] in ("confirmed", "refuted")
        assert "not reached" not in report
        assert "a pretend org on this machine, no real one" in report
        assert where["TOKEN"] not in report + done.stdout

    def test_without_leave_it_only_reads(self, org, tmp_path):
        control, where = org
        become_sandbox(control)
        before = contacts(control)
        done = run(tmp_path, str(LIVE), **where)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not (tmp_path / "live-salesforce.md").read_text().count("three contacts, removed")
        assert contacts(control) == before

    def test_it_writes_nothing_to_a_production_org(self, org, tmp_path):
        control, where = org
        before = contacts(control)
        done = run(tmp_path, str(LIVE), WRITE="1", **where)
        assert done.returncode == 3, done.stdout + done.stderr
        assert "this is a production org (Enterprise Edition, IsSandbox False)" in done.stdout
        assert contacts(control) == before


class TestWithoutAnOrg:
    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            ({}, ["URL", "TOKEN"]),
            ({"URL": "https://acme.my.salesforce.com", "CLIENT_ID": "c"}, ["CLIENT_SECRET"]),
        ],
    )
    def test_one_line_says_what_is_missing(self, given, missing, tmp_path):
        done = run(tmp_path, str(LIVE), **given)
        assert done.returncode == 4
        (line,) = [one for one in done.stderr.splitlines() if one.strip()]
        assert all(f"LIVE_SF_{name}" in line for name in missing)
        assert "passed" not in done.stdout

    def test_a_usual_run_does_not_collect_it(self, tmp_path):
        others = [one for one in (ROOT / "tests").iterdir() if one.is_dir() and one != LIVE]
        ignored = [f"--ignore={one}" for one in others]
        done = run(tmp_path, "--collect-only", *ignored, str(ROOT / "tests"))
        assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
        assert not (tmp_path / "live-salesforce.md").exists()
