"""Wrap keys under a key-encryption key: AES-256 key wrap, RFC 3394. Pure."""

import hashlib
from typing import Final

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from snapshot.keys.port import Unsealable

_CONTEXT: Final = b"crmtrail key-encryption key\0"
_FINGERPRINT: Final = 8


def fingerprint(kek: bytes) -> bytes:
    """Return 8 bytes that name a key-encryption key, and do not help to find it."""
    return hashlib.sha256(_CONTEXT + kek).digest()[:_FINGERPRINT]


def wrap(kek: bytes, key: bytes) -> bytes:
    """Return a key of 32 bytes wrapped: 40 bytes, which only the same KEK opens."""
    return aes_key_wrap(kek, key)


def unwrap(kek: bytes, wrapped: bytes) -> bytes:
    """Return the key.

    Raises:
        Unsealable: it was wrapped under another KEK, or altered.
    """
    try:
        return aes_key_unwrap(kek, wrapped)
    except InvalidUnwrap:
        raise Unsealable(
            "a key does not open under its key-encryption key",
            hint="the key store was damaged or altered: restore it with `crmtrail key --restore`",
        ) from None
