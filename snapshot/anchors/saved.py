"""Checkpoints as people keep them: in mails, chats and single-line fields. Pure.

What is not ours to control happens to text on its way: lines are quoted, indented, wrapped, ended
otherwise, set among other words. A checkpoint survives all of that, for none of its words holds a
blank: it is found again word by word, and its signature tells whether it was found right.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_string, policy
from html.parser import HTMLParser
from itertools import pairwise
from typing import Final

from snapshot.notes import (
    MARK,
    BadNote,
    Head,
    Note,
    Signature,
    base64,
    is_key_name,
    notes_in,
    unbase64,
)

_DASHES: Final = frozenset({MARK.strip(), "\u2013", "-", "--"})
"""How the mark of a signature line may come out of a mail program."""
_SIGNED: Final = 92
"""Characters of base64 for the four bytes of the key's id and a signature of 64."""
_ROOT: Final = re.compile(r"[A-Za-z0-9+/]{43}=")
_SIZE: Final = re.compile(r"0|[1-9][0-9]*")
_WORD: Final = re.compile(r"\S+")
_QUOTED: Final = re.compile(r"^[\s>|]+")
_LINK: Final = re.compile(r"<https?://\S*>$")
_ESCAPE: Final = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_HEADER: Final = re.compile(r"(From |[A-Za-z][A-Za-z0-9-]*: )")
_MAILBOX: Final = re.compile(r"^From .*\n", re.MULTILINE)


class Torn(ValueError):
    """A checkpoint begins on a line, and does not go on as one."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}: a checkpoint begins there and is not whole")


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int


def saved_notes(text: str, origins: Sequence[str]) -> list[tuple[int, str]]:
    """Return the checkpoints of some logs that a saved text holds, each with its line's number.

    A file of nothing but checkpoints is taken as it is, so that a torn one in it stands out.

    Raises:
        Torn: one of these logs' checkpoints is not whole.
    """
    plain = _plain(text)
    if any(note.split("\n", 1)[0] in origins for _, note in plain):
        return plain
    return list(_found(_words(readable(text)), frozenset(origins), strict=True))


def only_saved(text: str) -> list[str]:
    """Return the checkpoints of any log that a text holds; the text as it is where there are none.

    So whoever wants the one checkpoint of a file can say what is wrong with it.
    """
    if "\\" not in text and (plain := _plain(text)):
        return [note for _, note in plain]
    words = _words(readable(text))
    origins = {one.text for one, size in pairwise(words) if _SIZE.fullmatch(size.text)}
    found = [note for _, note in _found(words, frozenset(origins))]
    return found or [note for _, note in notes_in(text)]


def line_of(note: str, room: int | None = None) -> str:
    """Return a checkpoint on one line: origin, size, root, and each signature with its key's id.

    The names of the keys are left out: they are the origin. ``room`` is in characters; a second
    signature that does not fit in is left out, too.

    Raises:
        BadNote: this is no checkpoint, or not even one signature fits in.
    """
    parsed = Note.parse(note)
    words = [*str(Head.parse(parsed.text)).split("\n")[:3]]
    signed = [base64(one.id + one.made) for one in parsed.signatures]
    least = len(" ".join([*words, signed[0]]))
    if room is not None and least > room:
        raise BadNote(f"a checkpoint of {words[0]} takes {least} characters, and {room} are there")
    while room is not None and len(" ".join([*words, *signed])) > room:
        signed.pop()
    return " ".join([*words, *signed])


def note_of(line: str) -> str | None:
    """Return the checkpoint of such a line; None where it is none."""
    words = _words(line)
    found = list(_found(words, frozenset({words[0].text}))) if words else []
    return found[0][1] if len(found) == 1 and line_of(found[0][1]) == line.strip() else None


def readable(text: str) -> str:
    """Return what a person would read: of a saved mail or a mailbox, the bodies."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\u00a0", " ")
    if not _HEADER.match(text):
        return text
    mails = [mail for mail in _MAILBOX.split(text) if mail.strip()]
    bodies = [body for mail in mails for body in _bodies(mail)]
    return "\n".join(bodies) if bodies else text


def _bodies(mail: str) -> Iterator[str]:
    """Yield the texts of a mail; what is no mail at all comes out as it is."""
    parsed = message_from_string(mail, policy=policy.default)
    if "content-type" not in parsed and "mime-version" not in parsed:
        yield mail
        return
    parts = [part for part in parsed.walk() if part.get_content_maintype() == "text"]
    plain = [part for part in parts if part.get_content_subtype() == "plain"]
    for part in plain or parts:
        try:
            body = str(part.get_content())
        except (LookupError, UnicodeError):
            continue  # an unknown charset: nothing of it can be ours
        yield body if part in plain else _Stripped.of(body)


class _Stripped(HTMLParser):
    """Takes the words out of HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._words: list[str] = []

    @classmethod
    def of(cls, html: str) -> str:
        parser = cls()
        parser.feed(html)
        parser.close()
        return "".join(parser._words)

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"br", "p", "div", "pre", "td", "tr", "li"}:
            self._words.append("\n")


def _words(text: str) -> list[_Word]:
    """Return the words of a text, without the marks of quoting and of code."""
    words: list[_Word] = []
    for number, line in enumerate(text.split("\n"), start=1):
        bare = _ESCAPE.sub("", _QUOTED.sub("", line))
        for match in _WORD.finditer(bare):
            word = match[0].strip("`")
            if word and not _LINK.match(word):
                words.append(_Word(word, number))
    return words


def _found(
    words: Sequence[_Word], origins: frozenset[str], *, strict: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield what reads as checkpoint: origin, size, root, signatures."""
    at = 0
    while at < len(words):
        first = words[at]
        if first.text not in origins or not _is_size(words, at + 1):
            at += 1
            continue
        note, end = _checkpoint(words, at)
        if note is not None:
            yield first.line, note
        elif strict and words[at + 1].line > first.line:
            # On one line it may be a sentence: "acme.example/crmtrail 5 entries".
            raise Torn(first.line)
        at = max(end, at + 1)


def _checkpoint(words: Sequence[_Word], at: int) -> tuple[str | None, int]:
    """Return the checkpoint that begins at a word, and where the words behind it begin."""
    origin, size, root = (word.text for word in (*words[at : at + 3], _Word("", 0))[:3])
    if not _ROOT.fullmatch(root):
        return None, at
    signatures: list[Signature] = []
    end = at + 3
    while (signed := _signature(words, end, origin)) is not None:
        signature, end = signed
        signatures.append(signature)
    if not signatures:
        return None, at
    return str(Note(f"{origin}\n{size}\n{root}\n", tuple(signatures))), end


def _signature(words: Sequence[_Word], at: int, origin: str) -> tuple[Signature, int] | None:
    """Read one signature: with a dash and a name before it, or bare. It may be wrapped."""
    name = origin
    if at + 1 < len(words) and words[at].text in _DASHES:
        name, at = words[at + 1].text, at + 2
    encoded = ""
    while at < len(words) and len(encoded) < _SIGNED:
        encoded += words[at].text
        at += 1
    try:
        decoded = unbase64(encoded)
    except BadNote:
        return None
    if len(encoded) != _SIGNED:
        return None
    return Signature(name, decoded[:4], decoded[4:]), at


def _is_size(words: Sequence[_Word], at: int) -> bool:
    return at < len(words) and _SIZE.fullmatch(words[at].text) is not None


def _plain(text: str) -> list[tuple[int, str]]:
    """Return the checkpoints of a file that holds nothing else; none of any other text."""
    notes = list(notes_in(text.removeprefix("\ufeff")))
    try:
        heads = [Head.parse(Note.parse(note).text) for _, note in notes]
    except BadNote:
        return []
    return notes if all(is_key_name(head.origin) for head in heads) else []
