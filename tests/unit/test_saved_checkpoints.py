"""A checkpoint is found again in what mail programs, chats and single-line fields make of it."""

import textwrap
from email.message import EmailMessage

import pytest

from snapshot.anchors.saved import Torn, line_of, note_of, only_saved, saved_notes
from snapshot.notes import BadNote, Head, notes_in
from snapshot.signing import KeyRing, SigningKey

MINE = "acme.example/crmtrail"
OTHER = "acme.example/crmtrail-two"
LONGEST = 255


def note(size=12_345, origin=MINE, *others):
    ring = KeyRing(SigningKey(origin, bytes(32)))
    return str(ring.sign(str(Head(origin, size, size.to_bytes(32))), *others))


BOTH = note(7, MINE, SigningKey(MINE, bytes([1] * 32)))


def mail(body=None, html=None, **headers):
    made = EmailMessage()
    made["Subject"] = f"crmtrail checkpoint: {MINE}, 12345 entries"
    made["From"] = "crmtrail@acme.example"
    for name, value in headers.items():
        made[name] = value
    if body is not None:
        made.set_content(f"Keep this message.\n\n{body}")
    if html is not None:
        (made.add_alternative if body else made.set_content)(html, subtype="html")
    return made.as_string()


def quoted(text, mark="> "):
    return "".join(f"{mark}{line}\n" for line in text.splitlines())


def wrapped(text, width):
    lines = (
        textwrap.wrap(line, width, break_on_hyphens=False) or [""] for line in text.split("\n")
    )
    return "\n".join(part for line in lines for part in line)


WAYS = {
    "as it was": lambda text: text,
    "no line's end": lambda text: text.rstrip("\n"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "a byte order mark": lambda text: f"\ufeff{text}",
    "quoted": quoted,
    "quoted twice": lambda text: quoted(quoted(text)),
    "quoted tightly": lambda text: quoted(text, ">"),
    "indented": lambda text: textwrap.indent(text, "    "),
    "blanks at the ends": lambda text: text.replace("\n", "  \n"),
    "no blank lines": lambda text: text.replace("\n\n", "\n"),
    "more blank lines": lambda text: text.replace("\n", "\n\n"),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "wrapped at 72": lambda text: wrapped(text, 72),
    "wrapped at 50": lambda text: wrapped(text, 50),
    "an en dash": lambda text: text.replace("\u2014", "\u2013"),
    "two hyphens": lambda text: text.replace("\u2014", "--"),
    "a code block": lambda text: f"```\n{text}```\n",
    "escaped Markdown": lambda text: text.replace(".", "\\.").replace("+", "\\+"),
    "a link": lambda text: text.replace(f"{MINE}\n", f"{MINE} <http://{MINE}>\n"),
    "words around it": lambda text: f"Hi Ana,\n\nplease keep:\n\n{text}\n-- \nBen, 5 floors up\n",
    "a forward": lambda text: f"On 3 March Ben wrote:\n{quoted(text)}\nThanks!\n",
    "a mail": mail,
    "a mail in base64": lambda text: mail(f"{text}\n{chr(0xE4) * 500}"),
    "a mail in HTML": lambda text: mail(html=f"<p>Hi</p>{text}".replace("\n", "<br>\n")),
    "a mail in both": lambda text: mail(text, html="<p>see the text</p>"),
    "a mailbox": lambda text: f"From ben Mon Mar  3\n{mail(text)}\nFrom ana Tue\n{mail('nothing')}",
    "one line": lambda text: f"Proof: {line_of(text)}",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", [note(), BOTH], ids=["one signature", "two"])
def test_a_checkpoint_is_found_again(way, text):
    saved = WAYS[way](text)
    assert [one for _, one in saved_notes(saved, [MINE])] == [text]
    assert only_saved(saved) == [text]


def test_several_are_found_in_order_with_their_lines_and_others_are_passed_over():
    text = f"first\n{note(1)}then\n{quoted(note(2, OTHER))}\nand\n{quoted(note(3))}"
    assert saved_notes(text, [MINE]) == [(2, note(1)), (15, note(3))]
    assert [one for _, one in saved_notes(text, [MINE, OTHER])] == [
        note(1),
        note(2, OTHER),
        note(3),
    ]


def test_what_was_altered_comes_out_altered_so_that_its_signature_fails():
    forged = note().replace("12345", "12344")
    assert [one for _, one in saved_notes(quoted(forged), [MINE])] == [forged]


@pytest.mark.parametrize("kept", range(1, 5))
def test_a_checkpoint_that_is_not_whole_is_told(kept):
    lines = note(2).splitlines(keepends=True)
    torn = "".join(lines[:2]) + "".join(lines[2:])[: kept * 20]
    text = f"Dear Ana,\n{note(1)}\n{torn}"
    with pytest.raises(Torn, match="line 8"):
        saved_notes(text, [MINE])


@pytest.mark.parametrize(
    "text", ["", "my shopping list\n", f"{MINE} 5 entries are there\n", f"{MINE}\n"]
)
def test_where_there_is_none_there_is_none(text):
    assert saved_notes(text, [MINE]) == []
    assert only_saved(text) == [each for _, each in notes_in(text)]


def test_a_line_holds_the_whole_checkpoint():
    assert line_of(note()).count("\n") == 0
    assert note_of(line_of(note())) == note()
    assert note_of(line_of(BOTH)) == BOTH
    for text in ("", "call back on Monday", note(), f"{line_of(note())} x", line_of(note())[:-4]):
        assert note_of(text) is None


@pytest.mark.parametrize(("letters", "fits"), [(40, True), (100, True), (104, True), (120, False)])
def test_a_field_of_255_characters_holds_it_for_any_usual_origin(letters, fits):
    text = note(10**9, "o" * letters)
    if fits:
        line = line_of(text, LONGEST)
        assert len(line) == letters + 149
        assert note_of(line) == text
    else:
        with pytest.raises(BadNote, match=f"takes {letters + 149} characters, and 255 are there"):
            line_of(text, LONGEST)
