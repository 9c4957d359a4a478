"""A sealed value opens with its key, in its place, as it was written, and in no other way."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from snapshot.keys.port import Unsealable
from snapshot.keys.sealing import OVERHEAD, seal, seal_many, unseal, unseal_many

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
PLACE = b"sf:Contact:003:7:payload"
KEYS = st.binary(min_size=32, max_size=32)


@given(KEYS, st.binary(max_size=300), st.binary(max_size=60))
def test_what_is_sealed_opens_again(key, plain, aad):
    sealed = seal(key, plain, aad)
    assert len(sealed) == len(plain) + OVERHEAD
    assert unseal(key, sealed, aad) == plain


@given(st.lists(st.tuples(st.sampled_from([KEY, OTHER]), st.binary(max_size=50), st.binary())))
def test_many_are_sealed_like_one(items):
    sealed = seal_many(items)
    each = [(key, one, aad) for (key, _, aad), one in zip(items, sealed, strict=True)]
    assert unseal_many(each) == [plain for _, plain, _ in items]
    assert [unseal(*one) for one in each] == [plain for _, plain, _ in items]


def test_the_form_is_the_documented_one():
    sealed = seal(KEY, b"Ada", PLACE)
    assert sealed[0] == 1
    assert AESGCM(KEY).decrypt(sealed[1:13], sealed[13:], PLACE) == b"Ada"


def test_no_nonce_is_used_twice():
    sealed = [seal(KEY, b"", b"") for _ in range(500)]
    sealed += seal_many([(KEY, b"", b"")] * 500)
    assert len({one[1:13] for one in sealed}) == 1000


@pytest.mark.parametrize(
    ("key", "aad"), [(OTHER, PLACE), (KEY, PLACE + b"x"), (KEY, b"")], ids=["key", "aad", "no aad"]
)
def test_another_key_or_place_does_not_open_it(key, aad):
    sealed = seal(KEY, b"Ada", PLACE)
    with pytest.raises(Unsealable, match="another key, another place, or altered"):
        unseal(key, sealed, aad)
    with pytest.raises(Unsealable):
        unseal_many([(KEY, sealed, PLACE), (key, sealed, aad)])


@given(st.integers(min_value=0, max_value=OVERHEAD + 2), st.integers(min_value=0, max_value=7))
def test_one_bit_altered_does_not_open(at, bit):
    sealed = bytearray(seal(KEY, b"Ada", PLACE))
    sealed[at] ^= 1 << bit
    with pytest.raises(Unsealable):
        unseal(KEY, bytes(sealed), PLACE)


@given(st.integers(min_value=0, max_value=OVERHEAD + 2))
def test_a_value_cut_short_does_not_open(length):
    with pytest.raises(Unsealable):
        unseal(KEY, seal(KEY, b"Ada", PLACE)[:length], PLACE)


def test_an_algorithm_to_come_is_named():
    sealed = b"\x07" + seal(KEY, b"Ada", PLACE)[1:]
    with pytest.raises(Unsealable, match="algorithm 7, which this version does not know"):
        unseal(KEY, sealed, PLACE)


def test_an_error_holds_neither_key_nor_value():
    sealed = seal(KEY, b"Ada", PLACE)
    with pytest.raises(Unsealable) as caught:
        unseal(OTHER, sealed, PLACE)
    told = f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert "Ada" not in told
    assert OTHER.hex() not in told
    assert repr(OTHER) not in told
