import pytest

from crmtrail.sandbox.faults import Fault, Faults


def test_a_fault_spares_then_strikes_then_is_gone():
    faults = Faults()
    faults.place(Fault("throttle", skip=1, times=2))
    struck = [faults.strike("salesforce", "GET", "/x") is not None for _ in range(4)]
    assert struck == [False, True, True, False]
    assert faults.waiting() == []


def test_a_fault_waits_for_its_crm_method_and_path():
    faults = Faults()
    faults.place(Fault("reset_after", crm="hubspot", method="patch", path=r"/batch/update\b"))
    assert faults.strike("salesforce", "PATCH", "/batch/update") is None
    assert faults.strike("hubspot", "GET", "/batch/update") is None
    assert faults.strike("hubspot", "PATCH", "/batch/updates") is None
    assert faults.strike("hubspot", "PATCH", "/batch/update?x=1") is not None


def test_faults_strike_one_at_a_time_in_the_order_placed():
    faults = Faults()
    faults.place(Fault("slow"))
    faults.place(Fault("unavailable"))
    kinds = [fault.kind for fault in iter(lambda: faults.strike("x", "GET", "/"), None)]
    assert kinds == ["slow", "unavailable"]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"kind": "meteor"}, "unknown fault kind 'meteor'"),
        ({}, "unknown fault kind None"),
        ({"kind": "slow", "minutes": 1}, r"unknown fault keys \['minutes'\]"),
        ({"kind": "slow", "times": 0}, "times must be at least 1"),
        ({"kind": "slow", "path": "("}, "no regular expression"),
    ],
)
def test_a_senseless_order_is_refused_in_one_line(order, told):
    with pytest.raises(ValueError, match=told):
        Fault.parse(order)
