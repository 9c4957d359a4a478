"""The key that checkpoints are signed with: one file, made on first use, yours alone.

The file holds one secret key and the public keys that were retired, in the text forms of the Go
note package, so other tools for C2SP notes can read them::

    PRIVATE+KEY+<name>+<id>+<base64(0x01 || seed)>
    <name>+<id>+<base64(0x01 || public key)>        one line for each retired key

The name is the ledger's origin. It is fixed when the first key is made and outlives rotations.
"""

import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crmtrail.errors import Mistake
from snapshot import secret_file
from snapshot.notes import ED25519, BadNote, Note, PublicKey, Signature, base64, unbase64

_SECRET: Final = "PRIVATE+KEY+"  # noqa: S105 -- the prefix of the text form, no secret
_SEED_BYTES: Final = 32
_WHAT: Final = "the signing key"
_SETTING: Final = "ledger.key_file"
_COMMENT: Final = "# The key that crmtrail signs checkpoints with. Keep it secret, and keep a copy."


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key under a name. ``seed`` is secret."""

    name: str
    seed: bytes

    @classmethod
    def fresh(cls, name: str) -> Self:
        """Return a new key."""
        return cls(name, secrets.token_bytes(_SEED_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            BadNote: it is written otherwise.
        """
        name, id_, encoded = [*text.removeprefix(_SECRET).split("+", 2), "", ""][:3]
        decoded = unbase64(encoded)
        key = cls(name, decoded[1:])
        if decoded[:1] != ED25519 or len(key.seed) != _SEED_BYTES or key.public.id.hex() != id_:
            raise BadNote("not an Ed25519 key in the form PRIVATE+KEY+name+id+base64")
        return key

    def __repr__(self) -> str:
        return f"SigningKey({self.public})"

    @property
    def text(self) -> str:
        """The text form, which is secret."""
        return f"{_SECRET}{self.name}+{self.public.id.hex()}+{base64(ED25519 + self.seed)}"

    @property
    def public(self) -> PublicKey:
        """The key that others check with."""
        return self._public(self._key())

    def sign(self, text: str) -> Signature:
        """Return the signature line of a note's text."""
        key = self._key()
        return Signature(self.name, self._public(key).id, key.sign(text.encode()))

    def _public(self, key: Ed25519PrivateKey) -> PublicKey:
        return PublicKey(self.name, key.public_key().public_bytes_raw())

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The key in use, and the public keys that were in use before, newest first."""

    current: SigningKey
    retired: tuple[PublicKey, ...] = ()

    @property
    def origin(self) -> str:
        """The ledger's name."""
        return self.current.name

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """Every key whose signature is ours."""
        return (self.current.public, *self.retired)

    def sign(self, text: str, *others: SigningKey) -> Note:
        """Return a note signed by the key in use, and by others beside it."""
        return Note(text, tuple(key.sign(text) for key in (self.current, *others)))

    def rotated(self) -> "KeyRing":
        """Return the ring with a new key in use; the old one is retired, its secret forgotten."""
        return KeyRing(SigningKey.fresh(self.origin), self.keys)


def this_machine() -> str:
    """Return the origin of a ledger that was given none."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())
    return f"crmtrail/{host or 'localhost'}"


def open_ring(path: Path, origin: str, *, make: bool) -> KeyRing:
    """Return the keys of a file, made where there is none.

    Args:
        path: the key file.
        origin: the ledger's name, or nothing: that of the key, else of this machine.
        make: whether a first key may be made.

    Raises:
        Mistake: the file is missing and may not be made, cannot be read or written, can be read
            by others, holds no keys, or its keys are of another origin.
    """
    if not path.exists():
        if not make:
            raise Mistake(
                f"the signing key {path} is missing, and this ledger was signed before",
                hint="put it back from its copy, or make a new one with `crmtrail key --rotate`",
            )
        first = KeyRing(SigningKey.fresh(origin or this_machine()))
        secret_file.write_first(path, _text_of(first), _WHAT, setting=_SETTING)
    ring = _read(path)
    if origin and origin != ring.origin:
        raise Mistake(
            f"ledger.origin is {origin}, but {path} signs for {ring.origin}",
            hint=f"an origin never changes: write ledger.origin: {ring.origin}",
        )
    return ring


def replace_ring(path: Path, ring: KeyRing) -> None:
    """Put a ring in the place of the file's; after a crash it is the old one or the new one.

    Raises:
        Mistake: the file cannot be written.
    """
    secret_file.replace(path, _text_of(ring), _WHAT, setting=_SETTING)


def _text_of(ring: KeyRing) -> str:
    return "\n".join((_COMMENT, ring.current.text, *map(str, ring.retired), ""))


def _read(path: Path) -> KeyRing:
    held = secret_file.read_private(path, _WHAT)
    try:
        lines = held.decode().splitlines()
        return _ring([line.strip() for line in lines if line.strip() and line[0] != "#"])
    except ValueError:
        # What exactly is wrong with a line might repeat the secret.
        raise Mistake(
            f"{path} holds no signing key, or something beside the keys of one origin",
            hint="put it back from its copy; its form is told in docs/ledger.md",
        ) from None


def _ring(lines: Sequence[str]) -> KeyRing:
    secret = [line for line in lines if line.startswith(_SECRET)]
    if len(secret) != 1:
        raise BadNote(f"it has {len(secret)} secret keys, not one")
    retired = tuple(PublicKey.parse(line) for line in lines if not line.startswith(_SECRET))
    ring = KeyRing(SigningKey.parse(secret[0]), retired)
    if any(key.name != ring.origin for key in retired):
        raise BadNote("its keys are of different origins")
    return ring
