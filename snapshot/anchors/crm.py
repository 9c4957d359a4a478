"""Anchor in the CRM itself: the newest checkpoint stands in a text field of one record.

The vendor's own field history is the witness then: it says when each checkpoint was written, and
neither we nor whoever has our store can edit it. The checkpoint is written on one line, as
`snapshot.anchors.saved.line_of` makes it, for a Salesforce text field keeps no line ends and a long
text area keeps no history of values.

Each write is an edit of the record, and the next sync reads it as one. That makes no circle: it is
the schedule that starts syncs, and nothing is written before the anchor's interval has passed.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Final, TypeVar

from crmtrail.anchor_config import CrmAnchor
from crmtrail.errors import AnchorFailed, CrmtrailError
from crmtrail.model import NULL, Reading, Ref, Token, Verdict, Write, token_of, value_of
from crmtrail.ports import Connector
from snapshot.anchors.saved import line_of, note_of
from snapshot.anchors.sink import Means
from snapshot.notes import BadNote
from snapshot.proofs import head_of

T = TypeVar("T")

_KEY: Final = "checkpoint"


class CrmSink:
    """`snapshot.anchors.sink.Sink` over one field of one record, by the identity that restores."""

    readable = True

    def __init__(self, settings: CrmAnchor, means: Means) -> None:
        self._connect = means.connect
        self._source = settings.source
        self._ref = Ref.parse(settings.record)
        self._field = settings.field
        self.name = settings.name

    def newest(self, origin: str) -> str | None:
        """Return the checkpoint that the field holds now.

        Raises:
            AnchorFailed: the CRM cannot be asked, or the record or the field is not there.
        """
        note = self._now()
        return note if note is not None and head_of(note).origin == origin else None

    def held(self, origin: str) -> Iterator[str]:
        """Yield those of the field's history that the vendor tells, and what it holds now.

        HubSpot tells the history with the record. In Salesforce a person looks it up.
        """
        reading = self._read(trail=True)
        told = [event for event in reading.trail if event.field == self._field]
        tokens = [event.token for event in sorted(told, key=lambda event: event.at)]
        notes = (_note(token) for token in (*tokens, reading.fields[self._field]))
        mine = [note for note in notes if note is not None and head_of(note).origin == origin]
        yield from dict.fromkeys(mine)

    def send(self, note: str, origin: str) -> None:
        """Write a checkpoint, and read it back.

        Raises:
            AnchorFailed: the field holds something else, is too short or read-only; the vendor
                refused; or it holds another value afterwards.
        """
        held = self._read().fields[self._field]
        before = _note(held)
        if before is None and held not in (NULL, '""'):
            raise AnchorFailed(
                f"{self.name} holds something that is no checkpoint, and is left alone",
                hint="name a field of its own for it, or empty this one",
            )
        if before is not None and head_of(before).origin != origin:
            raise AnchorFailed(
                f"{self.name} holds the checkpoint of another ledger",
                hint="give each ledger a field of its own",
            )
        line = self._line(note)
        if before is not None and line_of(before) == line:
            return
        self._write(token_of(line))
        if self._now() != note_of(line):
            raise AnchorFailed(f"{self.name} was written, but reads otherwise afterwards")

    def _line(self, note: str) -> str:
        """Write a checkpoint as the field can hold it."""
        described = self._asked(lambda crm: crm.schema(self._ref.object)).fields.get(self._field)
        if described is None or not described.updateable or described.computed:
            raise AnchorFailed(
                f"{self._ref.object}.{self._field} cannot be written by the identity that restores",
                hint="make a text field of 255 characters for it, and let that identity edit it",
            )
        try:
            return line_of(note, described.max_length)
        except BadNote as error:
            raise AnchorFailed(
                f"{self.name} is too short: {error}", hint="make it a text field of 255 characters"
            ) from None

    def _write(self, token: Token) -> None:
        write = Write(self._ref, {self._field: token}, _KEY)
        (answer,) = self._asked(lambda crm: crm.write(self._ref.object, [write]))
        if answer.verdict is not Verdict.ACCEPTED:
            raise AnchorFailed(f"{self.name} refused: {answer.code} {answer.message}".strip())

    def _now(self) -> str | None:
        return _note(self._read().fields[self._field])

    def _read(self, *, trail: bool = False) -> Reading:
        ref = self._ref
        found = self._asked(lambda crm: crm.read(ref.object, [ref.id], trail=trail)).get(ref.id)
        if not isinstance(found, Reading) or found.deleted:
            raise AnchorFailed(f"there is no record {ref}, or it is deleted")
        if self._field not in found.fields:
            raise AnchorFailed(
                f"{ref.object} has no field {self._field}, or it is hidden from us",
                hint="make a text field of 255 characters, and let the restoring identity see it",
            )
        return found

    def _asked(self, question: Callable[[Connector], T]) -> T:
        try:
            return question(self._crm)
        except AnchorFailed:
            raise
        except CrmtrailError as error:
            raise AnchorFailed(f"{self.name}: {error}", hint=error.hint) from None

    @cached_property
    def _crm(self) -> Connector:
        """The connector that may write, once it is sure that it opens the account we read.

        Record ids of one account may be there in another, and mean something else.
        """
        writing = self._connect(self._source, restoring=True)
        reading = self._connect(self._source)
        if reading is not writing and reading.identity().account != writing.identity().account:
            raise AnchorFailed(f"auth and restore_auth of {self._source} are of different accounts")
        return writing


def _note(token: Token) -> str | None:
    value = value_of(token)
    return note_of(value) if isinstance(value, str) else None
