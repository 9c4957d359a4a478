"""The service tells people before it anchors, and a failure there holds up no anchor."""

import pytest

from crmtrail.ledger import AnchoringAtRest

NEVER = 3600.0


@pytest.mark.parametrize("fails", [False, True])
def test_people_are_told_first_and_anchors_follow_all_the_same(fails, capsys):
    done = []

    class Ledger:
        def anchor_after_sync(self):
            done.append("anchored")
            return ()

    def tell():
        done.append("told")
        if fails:
            raise RuntimeError("canary")

    with AnchoringAtRest(Ledger, first=tell, quiet_s=NEVER, longest_s=NEVER) as resting:
        resting.touch()
    assert done == ["told", "anchored"]
    shown = "".join(capsys.readouterr())
    assert ("not alerted" in shown) is fails
    assert "canary" not in shown
