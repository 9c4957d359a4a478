"""Fixtures every test may use."""

from collections.abc import Iterator

import pytest

from crmtrail.sandbox.client import Sandbox
from crmtrail.sandbox.server import Server
from support.salesforce_org import Org, salesforce_org
from support.sandbox import running_sandbox


@pytest.fixture
def sandbox() -> Iterator[tuple[Server, Sandbox]]:
    """A tiny sandbox CRM, freshly seeded, and its control client."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def org(sandbox: tuple[Server, Sandbox]) -> Iterator[Org]:
    """The sandbox's Salesforce org, driven by the unmodified client and by raw HTTP."""
    with salesforce_org(*sandbox) as opened:
        yield opened
