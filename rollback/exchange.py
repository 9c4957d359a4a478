"""Talk to one CRM for an apply: read in batches, remember what is read, write."""

from collections.abc import Mapping, Sequence

from crmtrail.errors import Ambiguous, PermissionMissing, RecordRefused, Unavailable
from crmtrail.model import (
    Answer,
    Identity,
    Loss,
    Reading,
    Ref,
    Removal,
    Verdict,
    Write,
    unknown,
)
from crmtrail.ports import Clock, Connector, Notice, Store


class Exchange:
    """One connector and the store that absorbs what it reads."""

    def __init__(self, connector: Connector, store: Store, clock: Clock, notice: Notice) -> None:
        self._connector = connector
        self._store = store
        self._clock = clock
        self._notice = notice
        self._started = connector.calls
        self._met: set[str] = set()

    @property
    def calls(self) -> int:
        """How many requests this exchange has cost."""
        return self._connector.calls - self._started

    @property
    def source(self) -> str:
        """The source's name."""
        return self._connector.source

    @property
    def read_batch(self) -> int:
        """How many records one read may ask for."""
        return self._connector.read_batch

    @property
    def write_batch(self) -> int:
        """How many records one write may carry."""
        return self._connector.write_batch

    @property
    def bulk_batch(self) -> int:
        """How many records one bulk write may carry."""
        return self._connector.bulk_batch

    def identity(self) -> Identity:
        """Return whom the vendor takes us for; one request."""
        return self._connector.identity()

    def read(self, refs: Sequence[Ref]) -> Mapping[str, Reading | Removal]:
        """Read records of one object with the vendor's history, and let the store absorb them.

        A colleague's repair that the preflight meets is in the history from here on, with its
        author, whatever becomes of the restore. A record of another id in answer to an id is the
        survivor of a merge (hubspot.md 4), and no state of the record asked for.
        """
        object_ = refs[0].object
        self._meet(object_)
        found: dict[str, Reading | Removal] = {}
        ids = [ref.id for ref in refs]
        size = self._connector.read_batch
        for start in range(0, len(ids), size):
            part = self._connector.read(object_, ids[start : start + size], trail=True)
            self._store.absorb(
                self._connector.source, object_, tuple(part.values()), notice=self._notice
            )
            found.update({id_: _own(object_, id_, each) for id_, each in part.items()})
        return found

    def write(self, writes: Sequence[Write]) -> Mapping[str, Answer]:
        """Write records of one object; an answer for every key, verdict unknown where in doubt.

        Raises:
            RetryLater: nothing was sent (throttled, or the budget is spent).
        """
        try:
            answers = self._connector.write(writes[0].ref.object, writes)
        except (Ambiguous, Unavailable):
            return {write.key: Answer(write.key, Verdict.UNKNOWN) for write in writes}
        except (PermissionMissing, RecordRefused) as error:
            return {
                write.key: Answer(write.key, Verdict.REFUSED, message=str(error), hint=error.hint)
                for write in writes
            }
        told = {answer.key: answer for answer in answers}
        return {
            write.key: told.get(write.key, Answer(write.key, Verdict.UNKNOWN)) for write in writes
        }

    def _meet(self, object_: str) -> None:
        """Look at an object's fields once: the connector reads what it knows."""
        if object_ not in self._met:
            self._connector.schema(object_)
            self._met.add(object_)


def _own(object_: str, id_: str, found: Reading | Removal) -> Reading | Removal:
    if isinstance(found, Removal) or found.ref.id == id_:
        return found
    return Removal(
        ref=Ref(found.ref.source, object_, id_),
        loss=Loss.MERGED,
        read_at=found.read_at,
        at=None,
        actor=unknown("the CRM answers with the surviving record only"),
        merged_into=found.ref.id,
    )
