"""The rules that an admin set for properties, as far as they are checked before sending."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.hubspot.admin_rules import AdminRules, Rule, breaches
from connectors.hubspot.client import Client
from connectors.hubspot.transport import Transport
from support.scripted_http import Scripted, ScriptedServer

RULES = {
    "results": [
        {
            "propertyName": "code",
            "propertyValidationRules": [
                {"ruleType": "MAX_LENGTH", "ruleArguments": ["3"]},
                {"ruleType": "FROM_THE_FUTURE", "ruleArguments": []},
            ],
        },
        {"propertyName": 7},
    ]
}


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "arguments", "kept", "broken"),
    [
        ("MIN_LENGTH", ["2"], "ab", "a"),
        ("MAX_LENGTH", ["2"], "ab", "abc"),
        ("MIN_NUMBER", ["2.5"], "2.50", "2.49"),
        ("MAX_NUMBER", ["2.5"], "2.5", "3"),
    ],
)
def test_what_breaks_a_rule_is_named_without_its_value(
    rule: str, arguments: list[str], kept: str, broken: str
) -> None:
    rules = {"code": [Rule(rule, arguments)]}
    assert breaches({"code": kept, "other": broken}, rules) == []
    (flaw,) = breaches({"code": broken}, rules)
    assert (flaw.code, flaw.field) == ("VALUE_OUT_OF_RULE", "code")
    assert rule in flaw.message
    assert breaches({"code": ""}, rules) == []


@pytest.mark.parametrize(
    "rule",
    [
        Rule("FROM_THE_FUTURE", ["1"]),
        Rule("MAX_LENGTH", []),
        Rule("MAX_LENGTH", ["long"]),
        Rule("MAX_NUMBER", ["1", "2"]),
        Rule("MAX_NUMBER", ["x"]),
        Rule("REGEX", ["("]),
    ],
)
def test_what_cannot_be_read_is_left_to_hubspot(rule: Rule) -> None:
    assert breaches({"code": "abcdef"}, {"code": [rule]}) == []


@pytest.mark.parametrize(
    ("version", "requests", "flaws"), [("v3", 0, 0), ("2026-03", 0, 0), ("2026-09", 1, 1)]
)
def test_rules_are_asked_for_once_and_only_where_they_bind(
    version: str, requests: int, flaws: int
) -> None:
    with ScriptedServer(otherwise=lambda _: Scripted(200, RULES)) as server:
        transport = _transport(server, version)
        rules = AdminRules(Client(transport))
        told = [breaches({"code": "abcd"}, rules.of("contacts")) for _ in range(2)]
        transport.close()
        assert len(server.asked) == requests
        assert all(one.target.endswith("/property-validations/2026-09/0-1") for one in server.asked)
    assert [len(each) for each in told] == [flaws, flaws]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_rules_that_may_not_be_read_bind_nothing_here(status: int) -> None:
    with ScriptedServer(otherwise=lambda _: Scripted(status, {})) as server:
        transport = _transport(server, "2026-09")
        assert AdminRules(Client(transport)).of("p1_cars") == {}
        transport.close()


def _transport(server: ScriptedServer, version: str) -> Transport:
    return Transport(
        base_url=server.url,
        token="a-token",
        version=version,
        timeout=timedelta(seconds=5),
        clock=StillClock(),
    )
