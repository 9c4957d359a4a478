"""Seal bytes under a key, and open them again: AES-256-GCM. Pure but for the nonces.

A sealed value is one byte for the algorithm (1), a random nonce of 12 bytes, and what AES-256-GCM
gives (NIST SP 800-38D): the ciphertext and a tag of 16 bytes. That is 29 bytes more than the plain
value. The ``aad`` is not in it: it says where the value belongs, so that one moved elsewhere does
not open. With random nonces one key is good for 2**32 values (section 8.3).
"""

import os
from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from snapshot.keys.port import Unsealable

OVERHEAD: Final = 29
"""How many bytes longer than the plain value a sealed one is."""

_AES_256_GCM: Final = b"\x01"
_NONCE: Final = 12
_BODY: Final = 1 + _NONCE
_HINT: Final = "run `crmtrail verify`; where it finds nothing, the key is of another store"


def seal(key: bytes, plain: bytes, aad: bytes) -> bytes:
    """Return a value sealed under a key of 32 bytes, for one place."""
    nonce = os.urandom(_NONCE)
    return _AES_256_GCM + nonce + AESGCM(key).encrypt(nonce, plain, aad)


def seal_many(items: Sequence[tuple[bytes, bytes, bytes]]) -> list[bytes]:
    """Seal ``(key, plain, aad)`` each. Quicker than one by one, most where keys repeat in a row."""
    nonces = os.urandom(_NONCE * len(items))
    sealed: list[bytes] = []
    cipher, last = None, b""
    for place, (key, plain, aad) in enumerate(items):
        if cipher is None or key != last:
            cipher, last = AESGCM(key), key
        nonce = nonces[place * _NONCE : place * _NONCE + _NONCE]
        sealed.append(_AES_256_GCM + nonce + cipher.encrypt(nonce, plain, aad))
    return sealed


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Return the plain value.

    Raises:
        Unsealable: it was sealed under another key or for another place, is of an algorithm that
            this version does not know, or was altered.
    """
    return _opened(AESGCM(key), sealed, aad)


def unseal_many(items: Iterable[tuple[bytes, bytes, bytes]]) -> list[bytes]:
    """Open ``(key, sealed, aad)`` each; see `unseal`."""
    opened: list[bytes] = []
    cipher, last = None, b""
    for key, sealed, aad in items:
        if cipher is None or key != last:
            cipher, last = AESGCM(key), key
        opened.append(_opened(cipher, sealed, aad))
    return opened


def _opened(cipher: AESGCM, sealed: bytes, aad: bytes) -> bytes:
    if sealed[:1] != _AES_256_GCM:
        raise Unsealable(_strange(sealed), hint=_HINT)
    if len(sealed) < OVERHEAD:
        raise Unsealable("a sealed value was cut short", hint=_HINT)
    try:
        return cipher.decrypt(sealed[1:_BODY], sealed[_BODY:], aad)
    except InvalidTag:
        raise Unsealable(
            "a sealed value does not open: another key, another place, or altered", hint=_HINT
        ) from None


def _strange(sealed: bytes) -> str:
    if not sealed:
        return "a sealed value is empty"
    return f"a sealed value is of algorithm {sealed[0]}, which this version does not know"
