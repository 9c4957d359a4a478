"""Fixtures every test may use."""

from collections.abc import Iterator

import pytest
from support.sandbox import running_sandbox

from crmtrail.sandbox.client import Sandbox
from crmtrail.sandbox.server import Server


@pytest.fixture
def sandbox() -> Iterator[tuple[Server, Sandbox]]:
    """A tiny sandbox CRM, freshly seeded, and its control client."""
    with running_sandbox() as running:
        yield running
