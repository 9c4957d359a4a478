"""Measured defects of simple-salesforce 1.12.10 that the connector must not run into."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import connectors.salesforce
from connectors.salesforce.bulk_csv import rows_of
from connectors.salesforce.ingest_csv import cell, records, tables
from connectors.salesforce.sheet import Sheet

HOME = Path(connectors.salesforce.__file__).parent
TREES = {path.name: ast.parse(path.read_text("utf-8")) for path in HOME.glob("*.py")}
SEPARATORS = "one\ntwo\r\nthree\u2028four\u2029five\x85six\x0bseven"
TABLE = (
    "from connectors.salesforce.ingest_csv import tables;"
    "rows = [('001', {'B': '1'}), ('002', {'C': '2', 'A': '3'})];"
    "print(list(tables(['C', 'A', 'B'], rows)))"
)


def test_the_library_is_used_as_transport_alone() -> None:
    """Its bulk clients lose records, hide failed rows and ask for a path of the wrong case."""
    imported = {
        (name, node.module, alias.name)
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("simple_salesforce")
        for alias in node.names
    }
    assert imported == {
        ("client.py", "simple_salesforce.util", "exception_handler"),
        ("exchange.py", "simple_salesforce.exceptions", "SalesforceError"),
        ("transport.py", "simple_salesforce.api", "Salesforce"),
    }
    plain = {
        alias.name
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not {name for name in plain if name.startswith("simple_salesforce")}


def test_only_calls_that_are_sound_are_made_of_it() -> None:
    used = {
        node.attr
        for name in ("client.py", "exchange.py")
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "_rest"
    }
    sound = {"query", "query_more", "restful", "oauth2", "base_url", "origin"}
    assert "restful" in used
    assert used <= sound


def test_no_path_is_spelled_as_the_library_does() -> None:
    texts = [
        node.value
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert any("unprocessedrecords" in text for text in texts)
    assert not [text for text in texts if "unprocessedRecords" in text]


def test_separators_inside_a_value_are_kept_both_ways() -> None:
    ((_, body),) = tables(["Name"], [("001", {"Name": SEPARATORS})])
    assert [one["Name"] for one in records(body)] == [SEPARATORS]
    sheet = Sheet(iter([body]))
    (row,) = rows_of(sheet.head, list(iter(sheet.record, None)), {})
    assert ast.literal_eval(bytes(row["Name"]).decode()) == SEPARATORS


def test_cleared_and_left_alone_are_told_apart() -> None:
    cells = {"A": cell("null", "string") or ""}
    ((_, body),) = tables(["A", "B"], [("001", cells)])
    assert body == b"Id,A,B\n001,#N/A,\n"


def test_columns_have_one_order_whatever_the_hash_seed() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", TABLE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=HOME.parents[1],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    (one,) = told
    assert b"Id,C,A,B" in one
