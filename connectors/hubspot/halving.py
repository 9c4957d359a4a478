"""Sending a batch and telling it apart: halved where it is refused, doubtful where it is lost.

HubSpot refuses a whole batch for one bad row. What was refused as a whole was not carried out, so
its halves are new requests, and the bad row is found in log2 steps. Nothing that may have been
carried out is sent again from here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from connectors.hubspot.posts import Made
from connectors.hubspot.refusals import Absent, Detail, Refusal, details_of
from connectors.hubspot.shapes import BatchError
from connectors.hubspot.words import explained
from crmtrail.errors import Ambiguous, CrmtrailError
from crmtrail.model import Answer, Verdict

UNNAMED: Final = "HubSpot's answer does not mention this record"
_LOOK: Final = "read the record to see what it holds"
_KEYS: Final = ("objectWriteTraceId", "ids", "id")


@dataclass(frozen=True, slots=True)
class Input:
    """One record of one request; ``key`` is its step's and ``id`` what errors may name."""

    key: str
    id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """What HubSpot said of a batch, by key: what was carried out, and what failed.

    ``nameless`` are errors that name no row.
    """

    done: Mapping[str, Made | None] = field(default_factory=dict)
    failed: Mapping[str, BatchError] = field(default_factory=dict)
    nameless: Sequence[BatchError] = ()


class Halving:
    """Sends batches and collects the answers, by key.

    ``landed`` says that something was carried out: what fails from then on is doubtful.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.landed = False

    def send(
        self,
        inputs: Sequence[Input],
        post: Callable[[Sequence[Input]], Word],
        accept: Callable[[Input, Made | None], Answer | None],
    ) -> None:
        """Send a batch; halves of it, where it is refused as a whole.

        Args:
            inputs: the batch.
            post: sends it and sorts what HubSpot says.
            accept: gives the answer of a row that was carried out; None leaves it to a later one.

        Raises:
            CrmtrailError: there is no word, and nothing was carried out before.
        """
        if not inputs:
            return
        try:
            word = post(inputs)
        except (Refusal, Absent) as error:
            if len(inputs) == 1:
                self.refuse(inputs[0].key, *_complaint(error))
                return
            middle = len(inputs) // 2
            self.send(inputs[:middle], post, accept)
            self.send(inputs[middle:], post, accept)
        except CrmtrailError as error:
            if not self.landed:
                raise
            self.doubt(inputs, error)
        else:
            self.landed = True
            for one in inputs:
                self._judge(one, word, accept)
            self._share(inputs, word)

    def refuse(self, key: str, details: Sequence[Detail], message: str) -> None:
        """Answer a row that was refused."""
        code, hint = explained(details, message)
        told = [one.message for one in details if one.message and one.message != message]
        message = "; ".join(dict.fromkeys(told)) or message
        self.answers[key] = Answer(key, Verdict.REFUSED, code, message, hint)

    def doubt(self, inputs: Sequence[Input], error: CrmtrailError) -> None:
        """Answer rows of which nobody knows what became."""
        code = "AMBIGUOUS" if isinstance(error, Ambiguous) else "NOT_SENT"
        for one in inputs:
            self.answers[one.key] = Answer(
                one.key, Verdict.UNKNOWN, code, str(error), "read the record, then write again"
            )

    def _share(self, inputs: Sequence[Input], word: Word) -> None:
        """Tell the rows that HubSpot does not mention of the errors that name none, one for one."""
        unmentioned = [one for one in inputs if one.key not in {*word.done, *word.failed}]
        if unmentioned and len(unmentioned) == len(word.nameless):
            details = [each for error in word.nameless for each in _details(error)]
            said = "; ".join(dict.fromkeys(error.message or "" for error in word.nameless))
            for one in unmentioned:
                self.refuse(one.key, details, said)

    def _judge(
        self, one: Input, word: Word, accept: Callable[[Input, Made | None], Answer | None]
    ) -> None:
        if (error := word.failed.get(one.key)) is not None:
            self.refuse(one.key, _details(error), error.message or "")
        elif one.key in word.done:
            if (answer := accept(one, word.done[one.key])) is not None:
                self.answers[one.key] = answer
        else:
            self.answers[one.key] = Answer(one.key, Verdict.UNKNOWN, "", UNNAMED, _LOOK)


def unjudged(one: Input, made: Made | None) -> Answer | None:
    """Leave the verdict on a row that HubSpot took to a reading that comes after."""
    del one, made
    return None


def sorted_word(
    inputs: Sequence[Input],
    done: Mapping[str, Made | None],
    errors: Sequence[BatchError] | None,
) -> Word:
    """Return what HubSpot said of a batch; what it names both done and failed has failed."""
    failed = failures(inputs, errors or ())
    about = {id(error) for error in failed.values()}
    return Word(done, failed, [error for error in errors or () if id(error) not in about])


def failures(inputs: Sequence[Input], errors: Sequence[BatchError]) -> dict[str, BatchError]:
    """Return which rows errors are about, by trace id, else by record id."""
    named = dict(_named(errors))
    found = {
        one.key: named.get(str(one.body.get("objectWriteTraceId") or one.key)) or named.get(one.id)
        for one in inputs
    }
    return {key: error for key, error in found.items() if error is not None}


def _named(errors: Sequence[BatchError]) -> Iterator[tuple[str, BatchError]]:
    """Yield each trace id and record id that an error names, with the error."""
    for error in errors:
        for name in _KEYS:
            yield from ((one, error) for one in error.named(name))


def _details(error: BatchError) -> Sequence[Detail]:
    return details_of(msgspec.to_builtins(error))


def _complaint(error: Refusal | Absent) -> tuple[Sequence[Detail], str]:
    if isinstance(error, Absent):
        return (Detail("OBJECT_NOT_FOUND", (), ""),), str(error)
    return error.details, error.said or str(error)
