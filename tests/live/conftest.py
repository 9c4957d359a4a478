"""Runs against a real org: collected only where this folder is named, and never by `make test`."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crmtrail.ports import Connector
from support.live_findings import Findings
from support.live_salesforce import Incomplete, Place, RawOrg, place_from

HERE = Path(__file__).parent
REPORT = "live-salesforce.md"
_PLACE = pytest.StashKey[Place]()
_FINDINGS = pytest.StashKey[Findings]()


def _named(config: pytest.Config) -> bool:
    """Whether this folder, or something in it, is what pytest was asked to run."""
    asked = [
        (config.invocation_params.dir / one.partition("::")[0]).resolve() for one in config.args
    ]
    return any(one == HERE or HERE in one.parents for one in asked)


def pytest_configure(config: pytest.Config) -> None:
    if not _named(config):
        return
    try:
        config.stash[_PLACE] = place_from(os.environ)
    except Incomplete as error:
        raise pytest.UsageError(str(error)) from None
    found = config.stash[_FINDINGS] = Findings()
    if config.stash[_PLACE].settings.base_url.startswith("http:"):
        found.circumstances["proof"] = "none: a pretend org on this machine, no real one"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if _named(config) or HERE not in collection_path.parents else True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    findings = terminalreporter.config.stash.get(_FINDINGS, None)
    if findings is None:
        return
    file = Path.cwd() / REPORT
    findings.write(file)
    terminalreporter.write_line(findings.table())
    terminalreporter.write_line(f"written to {file}")


@pytest.fixture(scope="session")
def place(pytestconfig: pytest.Config) -> Place:
    return pytestconfig.stash[_PLACE]


@pytest.fixture(scope="session")
def findings(pytestconfig: pytest.Config) -> Findings:
    return pytestconfig.stash[_FINDINGS]


@pytest.fixture(scope="session")
def live(place: Place) -> Iterator[Connector]:
    """Our connector, as the service would use it."""
    with closing(place.connect()) as connector:
        yield connector


@pytest.fixture(scope="session")
def raw(place: Place) -> Iterator[RawOrg]:
    """The org itself, asked without any of our code."""
    with closing(RawOrg(place)) as org:
        yield org


@pytest.fixture(scope="session")
def writable(place: Place, raw: RawOrg, findings: Findings) -> RawOrg:
    """The org, once it has said that it is none on which somebody's business rests."""
    if not place.writes:
        pytest.skip("nothing is written unless LIVE_SF_WRITE=1")
    (org,) = raw.rows("SELECT IsSandbox, OrganizationType FROM Organization")
    sandbox, kind = org["IsSandbox"], org["OrganizationType"]
    if sandbox is not True and kind != "Developer Edition":
        findings.circumstances["written"] = "nothing: the org is a production org"
        pytest.exit(
            f"this is a production org ({kind}, IsSandbox {sandbox}): nothing was written to it; "
            "name a sandbox or a Developer Edition org in LIVE_SF_URL",
            returncode=3,
        )
    findings.circumstances["written"] = f"three contacts, removed again ({kind})"
    return raw
