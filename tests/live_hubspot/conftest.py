"""Runs against a real portal: collected only where this folder is named, never by `make test`."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crmtrail.ports import Connector
from support.live_findings import Findings
from support.live_portal import (
    ASSUMPTIONS,
    TEST_KINDS,
    UNTRIED,
    Incomplete,
    Place,
    RawPortal,
    place_from,
)

HERE = Path(__file__).parent
REPORT = "live-hubspot.md"
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
    found = Findings(assumptions=ASSUMPTIONS, untried=UNTRIED, crm="HubSpot")
    config.stash[_FINDINGS] = found
    if config.stash[_PLACE].settings.base_url.startswith("http:"):
        found.circumstances["proof"] = "none: a pretend portal on this machine, no real one"


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
def raw(place: Place) -> Iterator[RawPortal]:
    """The portal itself, asked without any of our code."""
    with closing(RawPortal(place)) as portal:
        yield portal


@pytest.fixture(scope="session")
def writable(place: Place, raw: RawPortal, findings: Findings) -> RawPortal:
    """The portal, once it has said that it is none on which somebody's business rests."""
    if not place.writes:
        pytest.skip("nothing is written unless LIVE_HS_WRITE=1")
    kind = str(raw.details().get("accountType"))
    if kind not in TEST_KINDS:
        findings.circumstances["written"] = "nothing: the portal is no test portal"
        pytest.exit(
            f"this is no test portal (accountType {kind}): nothing was written to it; name a "
            "sandbox or a developer test account",
            returncode=3,
        )
    findings.circumstances["written"] = f"three contacts, archived again ({kind})"
    return raw
