"""Read again what was settled before, and say how it stands now. Writes nothing to the CRM."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from crmtrail.model import Action, Outcome, Result, Step
from crmtrail.ports import Journalled
from rollback.authors import Authors
from rollback.batches import batches
from rollback.digest import canonical
from rollback.exchange import Exchange
from rollback.spool import Spool
from rollback.verdict import looked_at, reread


class Lookback:
    """What a look at settled steps found: outcomes in the order of the plan, and their sum.

    They are put aside in a spool, so that they never sit in memory together.
    """

    def __init__(self, exchange: Exchange, authors: Authors, heartbeat: Callable[[], None]) -> None:
        self._exchange = exchange
        self._authors = authors
        self._heartbeat = heartbeat
        self._spool = Spool()
        self.counts: Counter[Result] = Counter()

    def look(self, steps: Iterable[Journalled], *, afresh: bool) -> None:
        """Read every record that was written.

        ``afresh`` tells how each step stands now. Otherwise a step that still holds what was put
        back keeps its outcome, and those whose outcome differs now are noted alone.
        """
        judged = looked_at if afresh else reread
        for batch in batches(steps, canary=0, size=self._exchange.read_batch):
            self._heartbeat()
            updates = batch[0].step.action is Action.UPDATE
            current = self._exchange.renamed(batch) if updates else batch
            found = self._exchange.read([one.step.ref for one in current]) if updates else {}
            for each in current:
                outcome = judged(each, found.get(each.step.ref.id), self._authors.changed)
                if afresh or outcome != each.outcome:
                    self._note(outcome)
                    if not afresh and each.outcome is not None:
                        self.counts[each.outcome.result] -= 1

    def _note(self, outcome: Outcome) -> None:
        self.counts[outcome.result] += 1
        self._spool.add(_line(outcome))

    def over(
        self, steps: Iterable[Journalled], default: Callable[[Journalled], Outcome]
    ) -> Iterator[tuple[Step, Outcome]]:
        """Yield each step with its outcome: what the look found, else the default."""
        found = (_outcome_of(line) for line in self._spool)
        following = next(found, None)
        for each in steps:
            if following is not None and following.step == each.step.id:
                yield each.step, following
                following = next(found, None)
            else:
                yield each.step, default(each)


def _line(outcome: Outcome) -> bytes:
    return canonical(
        {
            "step": outcome.step,
            "result": outcome.result.value,
            "detail": outcome.detail,
            "fields": {name: result.value for name, result in outcome.fields.items()},
        }
    )


def _outcome_of(line: bytes) -> Outcome:
    content = json.loads(line)
    fields = {name: Result(result) for name, result in content["fields"].items()}
    return Outcome(content["step"], Result(content["result"]), content["detail"], fields)
