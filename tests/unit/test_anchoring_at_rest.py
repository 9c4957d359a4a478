"""When the service anchors: after the last of a burst of syncs, and before it stops."""

import threading

from crmtrail.ledger import AnchoringAtRest

NEVER = 3600.0


class Calls:
    """Stands where the ledger is given out, and counts."""

    def __init__(self):
        self.count = 0
        self.changed = threading.Condition()

    def __call__(self):
        with self.changed:
            self.count += 1
            self.changed.notify_all()
        return self

    def anchor_after_sync(self):
        return ()

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: self.count >= count, timeout=10)


def test_a_burst_is_anchored_once_when_it_has_come_to_rest():
    calls = Calls()
    with AnchoringAtRest(calls, quiet_s=0.2, longest_s=NEVER) as resting:
        for _ in range(50):
            resting.touch()
        calls.wait_for(1)
        resting.touch()
        calls.wait_for(2)
    assert calls.count == 2


def test_a_burst_without_end_is_anchored_all_the_same():
    calls = Calls()
    with AnchoringAtRest(calls, quiet_s=NEVER, longest_s=0.05) as resting:
        resting.touch()
        calls.wait_for(1)


def test_stopping_anchors_what_is_left_and_nothing_twice():
    calls = Calls()
    with AnchoringAtRest(calls, quiet_s=NEVER, longest_s=NEVER) as resting:
        resting.touch()
        resting.touch()
    assert calls.count == 1
    with AnchoringAtRest(calls, quiet_s=NEVER, longest_s=NEVER):
        pass
    assert calls.count == 1


def test_an_unexpected_error_does_not_end_it(capsys):
    class Broken(Calls):
        def anchor_after_sync(self):
            raise RuntimeError("secret value")

    calls = Broken()
    with AnchoringAtRest(calls, quiet_s=0.01, longest_s=NEVER) as resting:
        resting.touch()
        calls.wait_for(1)
        resting.touch()
        calls.wait_for(2)
    said = "".join(capsys.readouterr())
    assert "RuntimeError" in said
    assert "secret value" not in said
