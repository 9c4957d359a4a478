"""When a place is due for a checkpoint."""

from datetime import UTC, datetime, timedelta

import pytest

from snapshot.anchored import Place

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def place(anchored=None, failed=None):
    ago = {
        name: None if given is None else NOW - given
        for name, given in {"anchored_at": anchored, "failed_at": failed}.items()
    }
    size = None if anchored is None else 5
    return Place(
        "file:x", size, None if size is None else "note", failure="no" if failed else "", **ago
    )


@pytest.mark.parametrize(
    ("every", "anchored", "failed", "due"),
    [
        (None, timedelta(0), None, True),
        (None, timedelta(0), timedelta(0), True),
        (DAY, None, None, True),
        (DAY, DAY, None, True),
        (DAY, DAY - timedelta(seconds=1), None, False),
        (DAY, None, timedelta(minutes=14), False),
        (DAY, None, timedelta(minutes=15), True),
        (DAY, 2 * DAY, timedelta(minutes=14), False),
        (DAY, 2 * DAY, timedelta(minutes=15), True),
        (timedelta(minutes=5), timedelta(hours=1), timedelta(minutes=5), True),
        (timedelta(minutes=5), timedelta(hours=1), timedelta(minutes=4), False),
    ],
)
def test_a_place_is_due_after_its_interval_and_after_a_failure_a_little_later(
    every, anchored, failed, due
):
    assert place(anchored, failed).is_due(every, NOW) is due
