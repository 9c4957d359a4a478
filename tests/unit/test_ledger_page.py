"""The example of docs/ledger.md is computed: by our code, and by the auditor's program."""

import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from crmtrail.model import Actor, ActorKind, Change, ChangeSet, Op, Ref
from snapshot.anchors.sink import entry_points
from snapshot.auditor import verify as auditor
from snapshot.canonical import digest_of
from snapshot.entries import action_entry, version_entry
from snapshot.ledger import leaf_hash, node_hash
from snapshot.notes import Head, Note
from snapshot.proofs import Growth, Inclusion
from snapshot.signing import KeyRing, SigningKey

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
VERSION, DOCUMENT, BODY, ACTION, KEY, CHECKPOINT, PROOF, GROWTH = re.findall(
    r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)
RING = KeyRing(SigningKey("acme.example/crmtrail", bytes(32)))
STAMPS = '{"SystemModstamp":"2026-03-01T09:00:00.000+0000"}'
CHANGE_SET = ChangeSet(
    Ref("sf", "Contact", "003A"),
    Op.UPDATE,
    2,
    (Change("Phone", "null", '"+1 555"'),),
    Actor(ActorKind.USER, "005A", "Ada Lovelace"),
    datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
    datetime(2026, 3, 1, 9, 0, 10, tzinfo=UTC),
)
ENTRIES = [
    version_entry(CHANGE_SET, digest=digest_of('{"Phone":"+1 555"}'), stamps=STAMPS, deleted=False),
    action_entry("run", {"run": 1, "state": "done"}, datetime(2026, 3, 1, 9, 1, tzinfo=UTC)),
]


def test_the_entries_are_those_of_the_page():
    assert [f"{entry.decode()}\n" for entry in ENTRIES] == [VERSION, ACTION]
    assert f'"body":"{sha256(BODY[:-1].encode()).hexdigest()}"' in VERSION
    assert f'"digest":"{sha256(DOCUMENT[:-1].encode()).hexdigest()}"' in VERSION


def test_the_tree_is_that_of_the_page():
    leaves = [leaf_hash(entry) for entry in ENTRIES]
    root = node_hash(*leaves)
    for name, found in (("leaf 0", leaves[0]), ("leaf 1", leaves[1]), ("root", root)):
        assert f"| {name} | `{found.hex()}` |" in PAGE
    head = Head(RING.origin, 2, root)
    assert str(RING.sign(str(head))) == CHECKPOINT
    assert f"{RING.current.public}\n" == KEY
    assert str(Inclusion(0, ENTRIES[0], (leaves[1],), CHECKPOINT)) == PROOF
    assert str(Growth(1, (leaves[1],), CHECKPOINT)) == GROWTH


def test_the_auditor_s_program_agrees_with_the_page():
    keys = auditor.keys_of(KEY.strip())
    assert auditor.check_proof(PROOF, keys).endswith(VERSION.strip())
    old = str(RING.sign(str(Head(RING.origin, 1, leaf_hash(ENTRIES[0])))))
    assert "from 1 to 2" in auditor.check_growth(old, GROWTH, keys)
    assert auditor.signed_head(CHECKPOINT, keys).size == 2
    assert len(Note.parse(CHECKPOINT).signatures) == 1


@pytest.mark.parametrize("kind", [entry.name for entry in entry_points(group="crmtrail.anchors")])
def test_every_kind_of_anchor_is_on_the_page(kind):
    assert f"| `{kind}` |" in PAGE


def test_the_program_is_as_short_as_the_page_says():
    assert len(Path(auditor.__file__).read_text().splitlines()) <= 400
