"""The one door through which values are forgotten, open for as long as a block of code runs.

The database refuses to change history (`snapshot.triggers`, `snapshot.guards`). While the door is
open it lets values become NULL, digests be left in their place, and nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from snapshot.guards import open_door


@contextmanager
def forgetting(connection: Connection, why: str) -> Iterator[None]:
    """Let values be forgotten inside, in the caller's transaction that writes.

    The door is shut again before the transaction ends. After an error inside, the transaction has
    to be rolled back, and the door with it.

    Args:
        connection: of a transaction that writes.
        why: what for, in a word; seen by nobody else.
    """
    if connection.dialect.name == "postgresql":
        with open_door(connection):
            yield
        return
    connection.exec_driver_sql("INSERT INTO door (why) VALUES (?)", (why,))
    yield
    connection.exec_driver_sql("DELETE FROM door")
