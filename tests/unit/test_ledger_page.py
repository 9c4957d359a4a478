"""The example of docs/ledger.md is computed: by our code, and by the auditor's program."""

import json
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from crmtrail.model import Actor, ActorKind, Change, Op, Ref
from snapshot.anchors.saved import line_of
from snapshot.anchors.sink import entry_points
from snapshot.auditor import verify as auditor
from snapshot.entries import (
    Said,
    action_entry,
    actor_key,
    actor_named,
    version_entry,
    who_digest,
)
from snapshot.ledger import leaf_hash, node_hash
from snapshot.notes import Head, Note
from snapshot.packing import kind_of, packed
from snapshot.proofs import Growth, Inclusion
from snapshot.signing import KeyRing, SigningKey
from snapshot.times import micros

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
VERSION, VALUES, ACTOR, ACTION, KEY, CHECKPOINT, LINE, PROOF, GROWTH = (
    text for language, text in FENCED if not language
)
RING = KeyRing(SigningKey("acme.example/crmtrail", bytes(32)))
ADA = Actor(ActorKind.USER, "005A", "Ada Lovelace")
SALT = bytes.fromhex(*re.findall(r"salt `([0-9a-f]{32})`", PAGE))
PHONE = Change("Phone", "null", '"+1 555"')
AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SAID = Said(
    record=str(Ref("sf", "Account", "001A")),
    number=2,
    op=Op.UPDATE.value,
    deleted=False,
    at=micros(AT),
    known_at=micros(AT + timedelta(seconds=10)),
    since=None,
    actor=actor_named(ADA.kind, ADA.id),
    who=who_digest(SALT, actor_key(ADA)),
    changed=[(PHONE.field, kind_of(PHONE.old, PHONE.new))],
    payload=sha256(packed([(PHONE.old, PHONE.new)]).encode()).digest(),
)
ENTRIES = [
    version_entry(SAID),
    action_entry("run", {"run": 1, "state": "done"}, datetime(2026, 3, 1, 9, 1, tzinfo=UTC)),
]


def digest(text):
    return sha256(text).hexdigest()


def test_the_entries_are_those_of_the_page():
    assert [f"{entry.decode()}\n" for entry in ENTRIES] == [VERSION, ACTION]


def test_an_auditor_recomputes_the_digests_of_the_page_by_hand():
    told = json.loads(VERSION)
    assert told["payload"] == digest(VALUES.rstrip("\n").replace("\u241f", "\x1f").encode())
    assert told["who"] == digest(SALT + ACTOR.rstrip("\n").encode())
    assert json.dumps(told, sort_keys=True, separators=(",", ":")) + "\n" == VERSION


def test_the_table_names_every_key_that_an_entry_can_have():
    (table,) = re.findall(r"^\| key \| holds \| from \|\n(.+?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    named = re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in table.splitlines()))
    full = SAID._replace(
        kept=bytes(32),
        keyframe=bytes(32),
        keyframe_kept=bytes(32),
        note="{}",
        operation="op-1",
        plan="plan-1",
        since=1,
    )
    assert sorted(named) == sorted(json.loads(version_entry(full)).keys() - {"kind"})


@pytest.mark.parametrize("shown", [SAID, SAID._replace(record='sf:A:"\\\n\x01é\u2028🚀', since=-1)])
def test_the_auditor_s_program_writes_the_same_entry(shown):
    gone = (None, None)
    row = (0, shown.record, 1, 2, "update", 0, shown.at, shown.known_at, shown.since, None, None)
    told = auditor.entry_of(
        (*row, None, *gone, *gone, *gone, *gone),
        [(0, 1, 11, PHONE.old, PHONE.new)],
        '["Phone",11]',
        ('"user:005A"', shown.who.hex()),
    )
    assert told == version_entry(shown)


def test_the_tree_is_that_of_the_page():
    leaves = [leaf_hash(entry) for entry in ENTRIES]
    root = node_hash(*leaves)
    for name, found in (("leaf 0", leaves[0]), ("leaf 1", leaves[1]), ("root", root)):
        assert f"| {name} | `{found.hex()}` |" in PAGE
    head = Head(RING.origin, 2, root)
    assert str(RING.sign(str(head))) == CHECKPOINT
    assert f"{line_of(CHECKPOINT)}\n" == LINE
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
