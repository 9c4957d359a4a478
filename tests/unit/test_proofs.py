"""Proof files: written as C2SP says, read back, and refused when a single letter differs.

The auditor's program was written from the RFC, with other algorithms. Both have to agree.
"""

import pytest

from snapshot.auditor import verify as auditor
from snapshot.ledger import (
    Frontier,
    append,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
)
from snapshot.notes import BadNote, Head, base64
from snapshot.proofs import Growth, Inclusion, head_of
from snapshot.signing import KeyRing, SigningKey

RING = KeyRing(SigningKey("acme.example/log", bytes(32)))
KEYS = auditor.keys_of(str(RING.current.public))
SIZES = 35
ENTRIES = [f'{{"kind":"run","n":{n}}}'.encode() for n in range(SIZES)]
_, MADE = append(Frontier(), [leaf_hash(entry) for entry in ENTRIES])
NODES = {(level, idx): found for level, idx, found in MADE}


def node_at(level, idx):
    return NODES[level, idx] if level else leaf_hash(ENTRIES[idx])


def signed(size):
    head = Head(RING.origin, size, root_at(size, node_at))
    return head, str(RING.sign(str(head)))


def inclusion(index, size):
    _, note = signed(size)
    return Inclusion(index, ENTRIES[index], tuple(inclusion_proof(index, size, node_at)), note)


def growth(first, second):
    hashes = consistency_proof(first, second, node_at) if first else []
    return Growth(first, tuple(hashes), signed(second)[1])


def test_an_inclusion_proof_looks_as_the_standard_says():
    proof = inclusion(2, 3)
    b = base64(node_at(1, 0))
    assert str(proof) == (
        f"c2sp.org/tlog-proof@v1\nextra {base64(ENTRIES[2])}\nindex 2\n{b}\n\n{proof.note}"
    )


def test_a_growth_proof_looks_as_a_witness_is_sent_it():
    proof = growth(2, 3)
    assert str(proof) == f"old 2\n{base64(node_at(0, 2))}\n\n{proof.note}"


@pytest.mark.parametrize("size", range(1, SIZES))
def test_every_entry_of_every_size_is_proven_to_both_readers(size):
    head, _ = signed(size)
    for index in range(size):
        text = str(inclusion(index, size))
        proof = Inclusion.parse(text)
        assert str(proof) == text
        assert proof.leads_to(head)
        assert ENTRIES[index].decode() in auditor.check_proof(text, KEYS)


@pytest.mark.parametrize("second", range(1, SIZES))
def test_growth_between_any_two_sizes_is_proven_to_both_readers(second):
    new, _ = signed(second)
    for first in range(second + 1):
        old, old_note = signed(first)
        text = str(growth(first, second))
        proof = Growth.parse(text)
        assert str(proof) == text
        assert proof.leads(old, new)
        assert auditor.check_growth(old_note, text, KEYS).endswith(f"to {second} entries")


def test_one_entry_proves_no_other():
    for size in (1, 2, 7, 8, 23):
        for index in range(size):
            proof = inclusion(index, size)
            others = [each for each in range(size) if each != index]
            for other in others:
                moved = Inclusion(other, proof.entry, proof.hashes, proof.note)
                assert not moved.leads_to(signed(size)[0])
                with pytest.raises(auditor.Refuted):
                    auditor.check_proof(str(moved), KEYS)


def test_a_rewritten_past_is_not_growth():
    for first, second in ((1, 2), (3, 7), (8, 9), (8, 16), (13, 34), (5, 5)):
        old, _ = signed(first)
        other = Head(old.origin, old.size, bytes(32))
        proof = growth(first, second)
        assert not proof.leads(other, signed(second)[0])
        with pytest.raises(auditor.Refuted):
            auditor.check_growth(str(RING.sign(str(other))), str(proof), KEYS)


def test_hashes_left_out_or_added_prove_nothing():
    for hashes in (lambda all_: all_[:-1], lambda all_: all_[1:], lambda all_: (*all_, bytes(32))):
        held, grown = inclusion(5, 11), growth(5, 11)
        held = Inclusion(5, held.entry, hashes(held.hashes), held.note)
        grown = Growth(5, hashes(grown.hashes), grown.note)
        assert not held.leads_to(signed(11)[0])
        assert not grown.leads(signed(5)[0], signed(11)[0])
        for check in (
            lambda text=str(held): auditor.check_proof(text, KEYS),
            lambda text=str(grown): auditor.check_growth(signed(5)[1], text, KEYS),
        ):
            with pytest.raises(auditor.Refuted):
                check()


def test_any_letter_changed_refutes_a_proof():
    text = str(inclusion(5, 11))
    for at, letter in enumerate(text):
        changed = text[:at] + ("A" if letter != "A" else "B") + text[at + 1 :]
        with pytest.raises((auditor.Refuted, auditor.Unreadable)):
            auditor.check_proof(changed, KEYS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"),
        ("extra ", "extra  "),
        ("index 5", "index 05"),
        ("index 5", "index five"),
        ("index 5", "index"),
        ("\n\n", "\n"),
        ("extra", "xtra"),
    ],
)
def test_what_is_no_proof(old, new):
    text = str(inclusion(5, 11)).replace(old, new)
    with pytest.raises(BadNote):
        Inclusion.parse(text)


def test_a_stranger_s_signature_proves_nothing():
    stranger = KeyRing(SigningKey(RING.origin, b"\x01" * 32))
    proof = inclusion(5, 11)
    forged = Inclusion(5, proof.entry, proof.hashes, str(stranger.sign(str(head_of(proof.note)))))
    with pytest.raises(auditor.Refuted, match="no key that you trust"):
        auditor.check_proof(str(forged), KEYS)


def test_a_trusted_key_of_another_name_does_not_speak_for_the_log():
    other = KeyRing(SigningKey("other.example/log", bytes(32)))
    proof = inclusion(5, 11)
    forged = Inclusion(5, proof.entry, proof.hashes, str(other.sign(str(head_of(proof.note)))))
    with pytest.raises(auditor.Refuted, match="no key that you trust"):
        auditor.check_proof(str(forged), auditor.keys_of(str(other.current.public)))
