"""The wrappers round any connector: patience, fair use, and never writing while planning."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.budget import Budgeted
from connectors.dryrun import DryRun
from connectors.retrying import Retrying
from crmtrail.config import BudgetConfig, RetryConfig
from crmtrail.errors import (
    Ambiguous,
    BudgetSpent,
    CredentialsRefused,
    CrmtrailError,
    CursorLost,
    Locked,
    Mistake,
    StopAll,
    Throttled,
    Unavailable,
)
from crmtrail.model import Mode, Page, Ref, Usage, Verdict, Write
from crmtrail.ports import Connector
from scheduler.budget import Budget, Burst
from support.moody_connector import NOON, MoodyConnector

WRITE = Write(Ref("sf", "Account", "1"), {"Name": "null"}, "k")
RETRY = RetryConfig(attempts=4, longest_wait=timedelta(seconds=60))


class Naps:
    """Sleeps in no time and remembers for how long."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def every_read(connector: Connector) -> None:
    connector.identity()
    connector.objects()
    connector.schema("Account")
    connector.page("Account", "c")
    connector.read("Account", ["1"], trail=True)


# --- Retrying ------------------------------------------------------------------------------------
def test_every_read_is_repeated_until_it_works() -> None:
    for error in (Unavailable("down"), Throttled("wait")):
        moody = MoodyConnector(*(mood for _ in range(5) for mood in (error, None)))
        naps = Naps()
        every_read(Retrying(moody, RETRY, sleep=naps))
        wanted = ["identity", "objects", "schema", "page", "read with trail"]
        assert moody.asked == [name for name in wanted for _ in range(2)]
        assert len(naps.taken) == 5


def test_the_pause_asked_for_is_kept_exactly() -> None:
    naps = Naps()
    moody = MoodyConnector(Throttled("wait", after=7.5), Unavailable("down", after=0.0))
    Retrying(moody, RETRY, sleep=naps).page("Account", "c")
    assert naps.taken == [7.5, 0.0]


def test_pauses_not_asked_for_grow_and_stay_within_the_longest() -> None:
    naps = Naps()
    moody = MoodyConnector(*[Unavailable("down")] * 11)
    config = RetryConfig(attempts=12, longest_wait=timedelta(seconds=20))
    Retrying(moody, config, sleep=naps).page("Account", "c")
    grown = [1, 2, 4, 8, 16]
    for pause, least in zip(naps.taken, grown, strict=False):
        assert least <= pause <= least + 1
    assert all(pause == 20 for pause in naps.taken[5:])


def test_the_last_error_comes_out_as_it_is() -> None:
    errors = [Unavailable(f"down {number}") for number in range(4)]
    moody = MoodyConnector(*errors)
    with pytest.raises(Unavailable, match="down 3"):
        Retrying(moody, RETRY, sleep=Naps()).page("Account", "c")
    assert len(moody.asked) == 4


def test_a_pause_too_long_is_raised_at_once_for_the_scheduler() -> None:
    naps, moody = Naps(), MoodyConnector(Throttled("wait", after=61.0))
    with pytest.raises(Throttled) as caught:
        Retrying(moody, RETRY, sleep=naps).page("Account", "c")
    assert caught.value.after == 61.0
    assert naps.taken == []


@pytest.mark.parametrize(
    "error",
    [
        BudgetSpent("spent"),
        Locked("locked"),
        CursorLost("lost"),
        CredentialsRefused("no"),
        Ambiguous("perhaps"),
        Mistake("what"),
    ],
)
def test_what_patience_does_not_mend_is_not_repeated(error: CrmtrailError) -> None:
    for name in ("page", "write"):
        moody = MoodyConnector(error)
        retrying = Retrying(moody, RETRY, sleep=Naps())
        with pytest.raises(type(error)):
            retrying.page("Account", "c") if name == "page" else retrying.write("Account", [WRITE])
        assert moody.asked == [name]


def test_a_write_is_repeated_only_while_nothing_was_sent() -> None:
    moody = MoodyConnector(Throttled("wait", after=1.0), Unavailable("refused"))
    (answer,) = Retrying(moody, RETRY, sleep=Naps()).write("Account", [WRITE])
    assert (answer.verdict, moody.written) == (Verdict.ACCEPTED, [WRITE])
    assert len(moody.asked) == 3


# --- DryRun --------------------------------------------------------------------------------------
def test_a_dry_run_reads_everything_and_writes_nothing() -> None:
    moody = MoodyConnector()
    dry = DryRun(moody)
    every_read(dry)
    with pytest.raises(StopAll, match="does not write"):
        dry.write("Account", [WRITE])
    assert moody.written == []
    assert "write" not in moody.asked


# --- all of them ---------------------------------------------------------------------------------
def free(source: str, class_: str, n: int) -> float:
    return 0.0


def test_wrappers_pass_on_what_they_do_not_judge() -> None:
    moody = MoodyConnector()
    wrapped = DryRun(Retrying(Budgeted(moody, free, BudgetConfig()), RETRY, sleep=Naps()))
    assert (wrapped.source, wrapped.read_batch, wrapped.write_batch) == ("sf", 7, 3)
    assert wrapped.start("Account", "p", Mode.FULL) == "p/full"
    assert wrapped.page("Account", "c") == Page("Account", "c", done=True, watermark=NOON)
    moody.told = Usage(1, 2)
    assert (wrapped.usage(), wrapped.calls) == (Usage(1, 2), 1)
    wrapped.close()
    assert moody.closed


# --- Budgeted ------------------------------------------------------------------------------------
class Purse:
    """Grants everything after the pauses it was told to ask for."""

    def __init__(self, *pauses: float) -> None:
        self.pauses = list(pauses)
        self.taken: list[tuple[str, str, int]] = []

    def __call__(self, source: str, class_: str, n: int) -> float:
        if self.pauses:
            return self.pauses.pop(0)
        self.taken.append((source, class_, n))
        return 0.0


def test_each_call_waits_until_it_is_granted() -> None:
    naps, purse = Naps(), Purse(0.5, 0.25)
    budgeted = Budgeted(MoodyConnector(), purse, BudgetConfig(), sleep=naps)
    budgeted.page("Account", "c")
    assert naps.taken == [0.5, 0.25]
    assert purse.taken == [("sf", "poll", 1)]


def test_calls_are_classed_by_what_the_run_is_for() -> None:
    purse = Purse()
    budgeted = Budgeted(MoodyConnector(), purse, BudgetConfig())
    for position, mode in (
        ("p", Mode.INCREMENTAL),
        ("p", Mode.RECONCILE),
        ("p", Mode.FULL),
        (None, Mode.INCREMENTAL),
    ):
        budgeted.page("Account", budgeted.start("Account", position, mode))
    budgeted.write("Account", [WRITE])
    classes = [class_ for _, class_, _ in purse.taken]
    assert classes == ["poll", "reconcile", "backfill", "backfill", "restore"]


def test_everything_a_restore_does_has_the_right_of_way() -> None:
    purse = Purse()
    every_read(Budgeted(MoodyConnector(), purse, BudgetConfig(), restoring=True))
    assert {class_ for _, class_, _ in purse.taken} == {"restore"}


def test_a_request_that_cost_more_is_settled_with_the_next() -> None:
    purse = Purse()
    budgeted = Budgeted(MoodyConnector(price=3), purse, BudgetConfig())
    budgeted.page("Account", "c")
    budgeted.page("Account", "c")
    assert [n for _, _, n in purse.taken] == [1, 3]


@pytest.mark.parametrize(
    ("used", "restoring", "goes"),
    [
        (800, False, True),
        (801, False, False),
        (801, True, True),
        (850, True, True),
        (851, True, False),
    ],
)
def test_a_share_of_the_quota_is_left_to_others(used: int, restoring: bool, goes: bool) -> None:
    moody = MoodyConnector()
    moody.told = Usage(used, 1000)
    config = BudgetConfig(leave_free=20, reserve_for_restores=5)
    budgeted = Budgeted(moody, free, config, restoring=restoring)
    if goes:
        budgeted.page("Account", "c")
    else:
        with pytest.raises(BudgetSpent, match=f"{used} of 1000 API calls of sf are used"):
            budgeted.page("Account", "c")
    assert moody.asked == (["page"] if goes else [])


def test_a_vendor_that_does_not_tell_its_quota_is_called() -> None:
    for told in (Usage(), Usage(used=5), Usage(limit=5), Usage(5, 0)):
        moody = MoodyConnector()
        moody.told = told
        Budgeted(moody, free, BudgetConfig()).page("Account", "c")
        assert moody.asked == ["page"]


def test_the_reset_is_told_where_the_vendor_tells_it() -> None:
    moody = MoodyConnector()
    moody.told = Usage(10, 10, NOON)
    with pytest.raises(BudgetSpent, match="resets at 2026-11-24T12:00:00Z"):
        Budgeted(moody, free, BudgetConfig()).page("Account", "c")


def test_an_old_word_on_the_quota_is_worth_one_call() -> None:
    now = [0.0]
    moody = MoodyConnector()
    moody.told = Usage(1000, 1000)
    budgeted = Budgeted(moody, free, BudgetConfig(), monotonic=lambda: now[0])
    with pytest.raises(BudgetSpent):
        budgeted.page("Account", "c")
    now[0] = 601.0
    budgeted.page("Account", "c")
    with pytest.raises(BudgetSpent):
        budgeted.page("Account", "c")
    assert moody.asked == ["page"]


# --- the seam of scheduler/budget.py ------------------------------------------------------------
class Ticks:
    """A clock of milliseconds that a test turns."""

    def __init__(self) -> None:
        self.at = 1_000_000

    def now(self) -> int:
        return self.at


def test_within_any_window_no_more_than_allowed_is_granted() -> None:
    ticks = Ticks()
    budget = Budget({"hs": [Burst(10, 1.0)]}, clock=ticks)
    assert [budget.take("hs", "restore") for _ in range(10)] == [0.0] * 10
    wait = budget.take("hs", "restore")
    assert 1.0 <= wait <= 1.01
    ticks.at += round(wait * 1000)
    assert budget.take("hs", "restore") == 0


def test_lower_classes_leave_room_for_higher_ones() -> None:
    budget = Budget({"hs": [Burst(10, 1.0)]}, clock=Ticks())

    def granted(class_: str) -> int:
        count = 0
        while budget.take("hs", class_) == 0:
            count += 1
        return count

    assert [granted(name) for name in ("backfill", "reconcile", "poll", "restore")] == [7, 1, 1, 1]


def test_restores_do_not_starve_anyone_of_their_own_share_for_longer_than_a_window() -> None:
    ticks = Ticks()
    budget = Budget({"hs": [Burst(10, 1.0)]}, clock=ticks)
    assert budget.take("hs", "restore", 10) == 0
    wait = budget.take("hs", "backfill")
    assert 0 < wait <= 1.01
    ticks.at += round(wait * 1000)
    assert budget.take("hs", "backfill") == 0


def test_more_than_a_window_holds_is_taken_as_a_window_full() -> None:
    ticks = Ticks()
    budget = Budget({"hs": [Burst(10, 1.0)]}, clock=ticks)
    assert budget.take("hs", "restore", 500) == 0
    assert budget.take("hs", "restore", 500) > 0


def test_sources_do_not_share_windows_and_one_without_is_never_held_back() -> None:
    budget = Budget({"hs": [Burst(1, 1.0)], "eu": [Burst(1, 1.0)], "sf": []}, clock=Ticks())
    assert budget.take("hs", "restore") == budget.take("eu", "restore") == 0
    assert budget.take("hs", "restore") > 0
    assert all(budget.take("sf", "backfill") == 0 for _ in range(1000))


def test_an_unknown_class_is_a_mistake() -> None:
    with pytest.raises(Mistake, match="known are restore, poll, reconcile, backfill"):
        Budget({}).take("hs", "hobby")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["restore", "poll", "reconcile", "backfill"]),
            st.integers(1, 4),
            st.integers(0, 400),
        ),
        max_size=60,
    )
)
def test_no_order_of_asking_gets_more_than_the_limits(
    asked: list[tuple[str, int, int]],
) -> None:
    ticks = Ticks()
    budget = Budget({"hs": [Burst(10, 1.0), Burst(25, 5.0)]}, clock=ticks)
    granted: list[tuple[int, int]] = []
    for class_, n, pause in asked:
        ticks.at += pause
        if budget.take("hs", class_, n) == 0:
            granted.append((ticks.at, n))
    for at, _ in granted:
        assert sum(n for when, n in granted if at <= when < at + 1000) <= 10
        assert sum(n for when, n in granted if at <= when < at + 5000) <= 25
