"""Every kind of entry that the code can seal is described in docs/ledger.md, and none besides."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## What crmtrail itself did")[2].partition("\n## ")[0]
TOLD = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", SECTION, re.MULTILINE))
ROOMS = ("snapshot", "crmtrail", "rollback", "scheduler", "connectors")
SEALS = {"seal", "seal_all", "_seal", "note_deed"}


def calls():
    """Yield module and arguments of every call that seals, or passes a seal on."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "sandbox" in path.parts:
                continue  # it has no ledger
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    if name in SEALS:
                        yield module, node.args


def kinds():
    """Return every kind that is named in such a call, as it stands or by a constant."""
    found = {}
    for module, arguments in calls():
        for each in arguments[:2]:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                found.setdefault(each.value, module)
            name = getattr(each, "attr", getattr(each, "id", ""))
            if name.isupper():
                owner = importlib.import_module(module)
                if isinstance(each, ast.Attribute):
                    owner = getattr(owner, each.value.id)
                found.setdefault(getattr(owner, name), module)
    return found


@pytest.fixture(scope="module")
def sealed():
    return kinds()


def test_every_kind_is_described(sealed):
    assert len(sealed) > 20
    missing = {kind: module for kind, module in sealed.items() if kind not in TOLD}
    assert missing == {}


def test_no_kind_is_described_that_nothing_seals(sealed):
    assert TOLD.keys() - sealed.keys() == set()


def test_all_ways_to_seal_are_known():
    """A call whose kind is neither a text nor a constant only passes one on."""
    passing = {
        module
        for module, arguments in calls()
        if not any(
            (isinstance(each, ast.Constant) and isinstance(each.value, str))
            or getattr(each, "attr", getattr(each, "id", "")).isupper()
            for each in arguments[:2]
        )
    }
    assert passing == {
        "crmtrail.cli.keys",
        "crmtrail.cli.viewed",
        "crmtrail.reports.export",
        "snapshot.framing",
        "snapshot.leaves",
        "snapshot.scribe",
        "snapshot.store",
    }
