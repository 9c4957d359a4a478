"""Signed notes and checkpoints against vectors of other implementations, letter by letter."""

import pytest

from snapshot.notes import BadNote, Head, Note, PublicKey, notes_in
from snapshot.signing import SigningKey

# golang.org/x/mod/sumdb/note publishes this key pair and this note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_NOTE = (
    f"{PETER_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
    "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of c2sp.org/tlog-checkpoint; its key is not published.
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q"
    "1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
# The example of c2sp.org/signed-note, whose text holds a blank line.
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU"
    "0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
ROOT = bytes(range(32))


def test_a_note_of_another_implementation_holds_and_is_made_the_same_here():
    key = PublicKey.parse(PETER)
    note = Note.parse(PETER_NOTE)
    assert note.text == PETER_TEXT
    assert note.signers([key]) == (key,)
    secret = SigningKey.parse(PETER_SECRET)
    assert (secret.text, secret.public) == (PETER_SECRET, key)
    assert str(Note(PETER_TEXT, (secret.sign(PETER_TEXT),))) == PETER_NOTE
    assert "AYEKFALV" not in repr(secret)


@pytest.mark.parametrize("note", [PETER_NOTE, SOFA, POEM])
def test_examples_are_read_and_written_unchanged(note):
    assert str(Note.parse(note)) == note


def test_the_example_checkpoint_says_what_it_says():
    note = Note.parse(SOFA)
    head = Head.parse(note.text)
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert head.root.hex().startswith("0ac5186a91863e8e1d90c808")
    assert str(head) == note.text
    assert note.signatures[0].id.hex() == "033de0ae"
    assert note.signers([PublicKey.parse(PETER)]) == (), "signatures of unknown keys are ignored"


@pytest.mark.parametrize(
    "changed",
    [
        PETER_NOTE.replace("cryptography", "cryptographY"),
        PETER_NOTE.replace("x08go/ZJ", "x08go/ZK"),
        PETER_NOTE.replace("your problem is.\n", "your problem is.\n\n"),
    ],
)
def test_a_changed_note_is_refused_and_not_merely_unsigned(changed):
    with pytest.raises(BadNote, match="does not hold"):
        Note.parse(changed).signers([PublicKey.parse(PETER)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        PETER_TEXT,
        PETER_NOTE[:-1],
        PETER_NOTE.replace("— ", "- "),
        PETER_NOTE.replace("— PeterNeumann", "—  "),
        PETER_NOTE.replace("— PeterNeumann", "— Peter+Neumann"),
        PETER_NOTE.replace("JnAM=", "JnAM"),
        PETER_NOTE.replace("JnAM=", "JnAN="),
        PETER_NOTE.replace("your", "y\tur"),
        f"{PETER_TEXT}\n— Peter x08goA==\n",
        f"\n{PETER_NOTE.split(chr(10) * 2)[1]}",
        PETER_TEXT + "\n" + PETER_NOTE.split("\n\n")[1] * 65,
    ],
)
def test_what_is_no_note(text):
    with pytest.raises(BadNote):
        Note.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "o\n1\n",
        "\n1\nAAAA\n",
        "o\n01\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "o\n-1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "o\n1e3\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "o\n٣\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "o\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n",
        "o\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "o\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint(text):
    with pytest.raises(BadNote):
        Head.parse(text)


def test_extension_lines_are_allowed():
    assert Head.parse(f"{Head('o', 7, ROOT)}more\n") == Head("o", 7, ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER.replace("PeterNeumann", "PeterNewman"),
        PETER.replace("+AR", "+AB"),
        PETER[:-4],
    ],
)
def test_what_is_no_key(text):
    with pytest.raises(BadNote):
        PublicKey.parse(text)


def test_a_file_of_checkpoints_is_taken_apart_however_it_is_spaced():
    one = str(Note(str(Head("o", 1, ROOT)), (SigningKey.fresh("o").sign("x"),)))
    two = one + one.splitlines()[-1] + "\n"
    assert list(notes_in("")) == list(notes_in("\n\n")) == []
    assert list(notes_in(one)) == [(1, one)]
    assert list(notes_in(one + two)) == [(1, one), (6, two)]
    assert list(notes_in(f"\n{one}\n\n{two}\n{one}")) == [(2, one), (9, two), (16, one)]


def test_what_a_crash_tore_comes_out_to_be_refused_and_spoils_no_other():
    one = str(Note(str(Head("o", 1, ROOT)), (SigningKey.fresh("o").sign("x"),)))
    torn = one[:40]
    found = list(notes_in(f"{torn}\n\n{one}"))
    assert found[-1] == (found[-1][0], one)
    assert len(found) == 2
    with pytest.raises(BadNote):
        Note.parse(found[0][1])
