"""When the service sees or reads every record, beside its polls."""

from datetime import UTC, datetime, timedelta

import pytest

from crmtrail.model import Mode
from crmtrail.ports import Sweeps
from scheduler.due import mode_due

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("sweeps", "mode"),
    [
        (Sweeps(), Mode.INCREMENTAL),
        (Sweeps(first=ago(0.9)), Mode.INCREMENTAL),
        (Sweeps(first=ago(1)), Mode.RECONCILE),
        (Sweeps(first=ago(9)), Mode.FULL),
        (Sweeps(first=ago(9), reconciled=ago(0.5), refreshed=ago(6)), Mode.INCREMENTAL),
        (Sweeps(first=ago(9), reconciled=ago(2), refreshed=ago(6)), Mode.RECONCILE),
        (Sweeps(first=ago(9), reconciled=ago(0.5), refreshed=ago(7)), Mode.FULL),
    ],
)
def test_what_is_due(sweeps, mode):
    assert mode_due(sweeps, NOW, reconcile=DAY, refresh=WEEK) is mode


def test_what_is_switched_off_is_never_due():
    old = Sweeps(first=ago(900))
    assert mode_due(old, NOW, reconcile=None, refresh=None) is Mode.INCREMENTAL
    assert mode_due(old, NOW, reconcile=DAY, refresh=None) is Mode.RECONCILE
