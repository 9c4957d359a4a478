"""Files encrypted with age (https://c2sp.org/age): to recipients, or under a passphrase.

Recipients take files of any size, a piece at a time. Under a passphrase the library takes a file
whole, so that it has to fit into memory. Any other program that speaks age opens either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from crmtrail.errors import Mistake
from snapshot.secret_file import read_private

_MAGIC: Final = b"age-encryption.org/v1"
_SHORTEST: Final = 12
_LARGEST: Final = 1 << 30
"""How large a file may be that is encrypted under a passphrase."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What a file is encrypted to: recipients (``age1...`` or SSH public keys), or a passphrase."""

    recipients: tuple[Any, ...] = field(default=(), repr=False)
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Opener:
    """What an encrypted file is opened with."""

    identities: tuple[Any, ...] = field(default=(), repr=False)
    passphrase: str = field(default="", repr=False)


def is_encrypted(path: Path) -> bool:
    """Return whether a file is one of age."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def lock_of(recipients: Sequence[str], passphrase: str = "") -> Lock:
    """Return a lock, or say what is wrong with what it should be made of.

    Raises:
        Mistake: it is neither recipients nor a passphrase, or no such thing, or age is missing.
    """
    pyrage = _library()
    if bool(recipients) == bool(passphrase):
        raise Mistake(
            "an encrypted backup is to recipients, or under a passphrase",
            hint="--recipient age1..., or --passphrase-file FILE; make a key with: age-keygen",
        )
    if passphrase and len(passphrase) < _SHORTEST:
        raise Mistake(
            f"the passphrase has fewer than {_SHORTEST} letters",
            hint="take a long one, or --recipient",
        )
    return Lock(tuple(_recipient(pyrage, one) for one in recipients), passphrase)


def opener_of(identity: Path | None, passphrase: str = "") -> Opener:
    """Return what opens a file: an identity file (age or SSH), or a passphrase.

    Raises:
        Mistake: it cannot be read, others can read it, or it is no such thing.
    """
    pyrage = _library()
    if identity is None:
        return Opener((), passphrase)
    kept = read_private(identity, "the age identity")
    try:
        if kept.lstrip().startswith(b"-----BEGIN"):
            return Opener((pyrage.ssh.Identity.from_buffer(kept),))
        lines = [line.strip() for line in kept.decode("ascii", "replace").splitlines()]
        wanted = [line for line in lines if line and not line.startswith("#")]
        return Opener(tuple(pyrage.x25519.Identity.from_str(line) for line in wanted))
    except pyrage.IdentityError:
        raise Mistake(f"{identity} holds no age identity", hint="see: age-keygen") from None


def encrypt(lock: Lock, plain: Path, to: Path) -> Opener:
    """Encrypt a file, and return what opens the result once, to check it.

    Whoever encrypts to recipients cannot open it. So a further recipient is made for the check,
    whose secret is written nowhere.

    Raises:
        Mistake: the file is too large for a passphrase.
    """
    pyrage = _library()
    if lock.passphrase:
        if plain.stat().st_size > _LARGEST:
            raise Mistake(
                "the store is too large for a passphrase: it would have to fit into memory",
                hint="encrypt to a --recipient instead",
            )
        to.write_bytes(pyrage.passphrase.encrypt(plain.read_bytes(), lock.passphrase))
        return Opener((), lock.passphrase)
    once = pyrage.x25519.Identity.generate()
    with plain.open("rb") as source, to.open("wb") as target:
        pyrage.encrypt_io(source, target, [*lock.recipients, once.to_public()])
    return Opener((once,))


def decrypt(opener: Opener, sealed: Path, to: Path) -> None:
    """Decrypt a file.

    Raises:
        Mistake: it takes something else to open it, or it was altered or cut off.
    """
    pyrage = _library()
    try:
        if opener.passphrase:
            to.write_bytes(pyrage.passphrase.decrypt(sealed.read_bytes(), opener.passphrase))
            return
        with sealed.open("rb") as source, to.open("wb") as target:
            pyrage.decrypt_io(source, target, list(opener.identities))
    except (pyrage.DecryptError, OSError) as error:
        raise Mistake(
            f"{sealed} does not open: another identity or passphrase, or it was altered or cut off",
            hint="--identity FILE for a backup made with --recipient, else --passphrase-file FILE",
        ) from error


def _recipient(pyrage: Any, text: str) -> Any:
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise Mistake(
            f"{text[:24]!r} is no recipient",
            hint="write age1... as age-keygen prints it, or an SSH public key",
        ) from None


def _library() -> Any:
    try:
        return import_module("pyrage")
    except ImportError:
        raise Mistake(
            "encrypted backups need the package pyrage, which is not installed",
            hint="install crmtrail[age]",
        ) from None
