"""The tables of a key store, and the first rows in them.

``subject_key`` keeps the row of a destroyed key, without the key: so "destroyed" and "never here"
are told apart. Row 0 is the index key, of which `Keyring.blind` makes what stands for an address.
``ring`` has one row. Whoever writes updates it first, so that writers wait for each other on every
database; its ``generation`` grows with each destruction, which empties the caches of all processes.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

FORMAT: Final = 1
"""The form of these tables. A key store of a higher one was written by a newer crmtrail."""

INDEX_KEY: Final = 0

METADATA: Final = MetaData()

KEK: Final = Table(
    "kek",
    METADATA,
    Column("kek_no", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", LargeBinary, nullable=False, unique=True),
    Column("since", BigInteger, nullable=False),
)
"""The key-encryption keys that ever wrapped a key here, by fingerprint."""

RING: Final = Table(
    "ring",
    METADATA,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("format", Integer, nullable=False),
    Column("store_id", Text),
    Column("kek_no", Integer, nullable=False),
    Column("next_key", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("copied_at", BigInteger),
)

SUBJECT_KEY: Final = Table(
    "subject_key",
    METADATA,
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary),
    Column("kek_no", Integer, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("destroyed_at", BigInteger),
    CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)"),
)
