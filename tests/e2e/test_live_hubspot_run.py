"""The live run against HubSpot: what it needs, what it refuses, that it passes on the sandbox."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.live_portal import ASSUMPTIONS
from support.sandbox import running_sandbox

ROOT = Path(__file__).parents[2]
LIVE = ROOT / "tests" / "live_hubspot"
ROW = re.compile(r"^\| (.+?) +\| (confirmed|refuted|open) +\| (.+?) +\|$", re.MULTILINE)


def run(folder, *arguments, **live):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CRMTRAIL_", "PYTEST_"))}
    variables = {f"LIVE_HS_{name}": value for name, value in live.items()}
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"),
               "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-q", *arguments]  # fmt: skip
    return subprocess.run(
        command, cwd=folder, env=kept | variables, capture_output=True, text=True, check=False
    )


@pytest.fixture
def portal():
    with running_sandbox() as (server, control):
        yield control, server.url


def become_test_portal(control):
    control.act("hubspot", do="account_type", name="DEVELOPER_TEST")


def contacts(control):
    return {row["id"]: row for row in control.truth("hubspot", "contacts")}


@pytest.mark.slow
class TestLiveRun:
    @pytest.mark.parametrize("version", ["2026-09"])
    def test_it_passes_against_a_test_portal_and_tells_what_it_found(
        self, portal, tmp_path, version
    ):
        control, url = portal
        token = control.people("hubspot")["tokens"]["restorer"]
        become_test_portal(control)
        before = contacts(control)
        done = run(tmp_path, str(LIVE), URL=url, TOKEN=token, WRITE="1", VERSION=version)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "skipped" not in done.stdout.splitlines()[-1], done.stdout
        after = contacts(control)
        live = {id_ for id_, row in after.items() if not row["deleted"]}
        assert live == {id_ for id_, row in before.items() if not row["deleted"]}
        report = (tmp_path / "live-hubspot.md").read_text(encoding="utf-8")
        told = {text: ruling for text, ruling, _ in ROW.findall(report)}
        assert told.keys() == {one.text for one in ASSUMPTIONS.values()}
        assert told[ASSUMPTIONS["cleared"].text] == "confirmed"
        assert told[ASSUMPTIONS["search-headers"].text] == "confirmed"
        assert "not reached" not in report
        assert "a pretend portal on this machine, no real one" in report
        assert token not in report + done.stdout

    def test_without_leave_it_only_reads_and_an_oauth_app_will_do(self, portal, tmp_path):
        control, url = portal
        become_test_portal(control)
        before = contacts(control)
        told = control.people("hubspot")["oauth"]["restorer"]
        named = {name.upper(): value for name, value in told.items()}
        done = run(tmp_path, str(LIVE), URL=url, **named)
        assert done.returncode == 0, done.stdout + done.stderr
        report = (tmp_path / "live-hubspot.md").read_text(encoding="utf-8")
        assert "three contacts, archived" not in report
        assert contacts(control) == before
        for secret in ("client_secret", "refresh_token"):
            assert told[secret] not in report + done.stdout

    def test_it_writes_nothing_to_a_portal_of_a_business(self, portal, tmp_path):
        control, url = portal
        token = control.people("hubspot")["tokens"]["restorer"]
        before = contacts(control)
        done = run(tmp_path, str(LIVE), URL=url, TOKEN=token, WRITE="1")
        assert done.returncode == 3, done.stdout + done.stderr
        assert "this is no test portal (accountType STANDARD)" in done.stdout
        assert contacts(control) == before


class TestWithoutAPortal:
    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            ({"CLIENT_ID": "c", "CLIENT_SECRET": "s"}, ["REFRESH_TOKEN"]),
        ],
    )
    def test_one_line_says_what_is_missing(self, given, missing, tmp_path):
        done = run(tmp_path, str(LIVE), **given)
        assert done.returncode == 4
        (line,) = [one for one in done.stderr.splitlines() if one.strip()]
        assert all(f"LIVE_HS_{name}" in line for name in missing)
        assert "passed" not in done.stdout

    def test_a_version_that_is_none_is_told(self, tmp_path):
        done = run(tmp_path, str(LIVE), TOKEN="t", VERSION="2025-01")
        assert done.returncode == 4
        assert "api_version is one of v3, 2026-03 or 2026-09" in done.stderr

    def test_a_usual_run_does_not_collect_it(self, tmp_path):
        others = [one for one in (ROOT / "tests").iterdir() if one.is_dir() and one != LIVE]
        ignored = [f"--ignore={one}" for one in others]
        done = run(tmp_path, "--collect-only", *ignored, str(ROOT / "tests"))
        assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
        assert not (tmp_path / "live-hubspot.md").exists()
