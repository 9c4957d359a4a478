"""Signed notes and checkpoints, letter by letter as C2SP writes them. Pure.

Sources: https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint, with Ed25519 (signature
type 0x01). A note is text, a blank line, and signature lines; a checkpoint is a note whose text is
the origin, the tree size and the root.
"""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519: Final = b"\x01"
MARK: Final = "\u2014 "
"""How a signature line begins: an em dash and a space."""

_MOST_SIGNATURES: Final = 64
_ID_BYTES: Final = 4
_HASH_BYTES: Final = 32


class BadNote(ValueError):
    """The text is no note, no checkpoint or no key; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that notes are checked with. ``raw`` is its 32 bytes, as in RFC 8032."""

    name: str
    raw: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name+id+base64(type || raw)``, the text form of the Go note package.

        Raises:
            BadNote: it is written otherwise, is no Ed25519 key, or its id is not its own.
        """
        name, _, rest = text.strip().partition("+")
        id_, _, encoded = rest.partition("+")
        decoded = unbase64(encoded)
        if not is_key_name(name) or decoded[:1] != ED25519 or len(decoded) != 1 + _HASH_BYTES:
            raise BadNote("not an Ed25519 key in the form name+id+base64")
        key = cls(name, decoded[1:])
        if key.id.hex() != id_:
            raise BadNote(f"the key's id is {key.id.hex()}, not {id_}")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64(ED25519 + self.raw)}"

    @property
    def id(self) -> bytes:
        """The four bytes that a signature names its key by."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:_ID_BYTES]

    def made(self, signature: bytes, text: str) -> bool:
        """Return whether this key made a signature over a text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: the key's name and id, and what the key made of the text."""

    name: str
    id: bytes
    made: bytes

    def __str__(self) -> str:
        return f"{MARK}{self.name} {base64(self.id + self.made)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a newline, and its signatures, not yet believed."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, note: str) -> Self:
        """Read a note.

        Raises:
            BadNote: it is none.
        """
        if any(letter < " " and letter != "\n" for letter in note):
            raise BadNote("a note holds no control characters")
        body, blank, signed = note.rpartition("\n\n")
        if not blank or not body or not signed.endswith("\n"):
            raise BadNote("a note is text, a blank line, and signature lines")
        lines = signed[:-1].split("\n")
        if len(lines) > _MOST_SIGNATURES:
            raise BadNote(f"a note with more than {_MOST_SIGNATURES} signatures")
        return cls(body + "\n", tuple(map(_signature, lines)))

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def signers(self, keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        """Return which of the keys signed the text; signatures of other keys are ignored.

        Raises:
            BadNote: a signature claims to be of one of the keys and is not.
        """
        known = {(key.name, key.id): key for key in keys}
        found: list[PublicKey] = []
        for signature in self.signatures:
            key = known.get((signature.name, signature.id))
            if key is None:
                continue
            if not key.made(signature.made, self.text):
                raise BadNote(f"the signature of {key.name} ({key.id.hex()}) does not hold")
            found.append(key)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Head:
    """What a checkpoint says: a log of this origin had so many leaves, and this root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a checkpoint; extension lines are allowed and ignored.

        Raises:
            BadNote: it is none.
        """
        lines = text.split("\n")
        if lines[-1] or not all(lines[:-1]) or len(lines) < len(("origin", "size", "root", "")):
            raise BadNote("a checkpoint is the origin, the size and the root, a line each")
        origin, size, root = lines[:3]
        if not (size.isascii() and size.isdecimal()) or str(int(size)) != size:
            raise BadNote(f"{size!r} is no tree size")
        decoded = unbase64(root)
        if len(decoded) != _HASH_BYTES:
            raise BadNote("the root is not 32 bytes")
        return cls(origin, int(size), decoded)

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64(self.root)}\n"


def notes_in(text: str) -> Iterator[tuple[int, str]]:
    """Yield the checkpoints of a file that holds one after another, each with its first line's no.

    Blank lines between them are allowed. What is no checkpoint comes out as it is, to be refused.
    """
    begun, note, signed = 0, "", False
    for number, line in enumerate(text.split("\n"), start=1):
        if note and not signed and not line and not note.endswith("\n\n"):
            note += "\n"
        elif line.startswith(MARK):
            note, signed = f"{note}{line}\n", True
        elif line:
            if note.endswith("\n\n") or signed:
                yield begun, note
                note = ""
            begun, note, signed = (begun if note else number), f"{note}{line}\n", False
    if note:
        yield begun, note


def is_key_name(name: str) -> bool:
    """Return whether a key may have this name: not empty, no blanks, no plus sign."""
    return bool(name) and name.isprintable() and not any(c.isspace() or c == "+" for c in name)


def base64(raw: bytes) -> str:
    """Return the standard base64 of RFC 4648, section 4."""
    return b64encode(raw).decode()


def unbase64(text: str) -> bytes:
    """Read what `base64` writes, and nothing else: one text for one value.

    Raises:
        BadNote: it is not that.
    """
    try:
        raw = b64decode(text, validate=True)
    except (Error, ValueError):
        raise BadNote(f"{text[:40]!r} is no base64") from None
    if base64(raw) != text:
        raise BadNote(f"{text[:40]!r} is no plain base64")
    return raw


def hashes_of(lines: Sequence[str]) -> tuple[bytes, ...]:
    """Read the hashes of a proof, a line each.

    Raises:
        BadNote: one of them is no hash.
    """
    found = tuple(map(unbase64, lines))
    if any(len(each) != _HASH_BYTES for each in found):
        raise BadNote("a hash of the proof is not 32 bytes")
    return found


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(MARK).partition(" ")
    if not line.startswith(MARK) or not is_key_name(name):
        raise BadNote(f"{line[:40]!r} is no signature line")
    decoded = unbase64(encoded)
    if len(decoded) <= _ID_BYTES:
        raise BadNote(f"{line[:40]!r} holds no signature")
    return Signature(name, decoded[:_ID_BYTES], decoded[_ID_BYTES:])
