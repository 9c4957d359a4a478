"""What the contract suite for connectors needs of a CRM, and how it drives a run.

A connector author writes one `Rig` over a CRM that can be made to misbehave (the sandbox, a
test account behind a fault-injecting proxy) and runs `support.connector_suite.ConnectorSuite`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from crmtrail.errors import Throttled
from crmtrail.model import Gap, Mode, Page, Reading, Removal, Token
from crmtrail.ports import Connector

Values: TypeAlias = Mapping[str, str | None]
"""Field name to plain text; None clears."""

Fault: TypeAlias = Literal[
    "unauthorized",  # the credentials are refused
    "throttle",  # a pause is asked for
    "quota",  # the API quota is spent
    "unavailable",  # 503 with an HTML page
    "reset_before",  # the connection breaks before the request is carried out
    "reset_after",  # the connection breaks after it was
]


@dataclass(frozen=True)
class Someone:
    """Who acts, as the connector is expected to name them."""

    id: str
    name: str


class Rig(Protocol):
    """A CRM account to test against. Each test gets a fresh one, with some records in it.

    ``object`` has two plain text fields that anyone may set or clear (``text_field``,
    ``other_field``), and ``choice_field`` refuses ``bad_choice``. ``locked_field`` cannot be
    written by anybody. ``unknown_id`` is well formed, but no record has it.

    ``many`` is more records than any one request returns. ``quiet_calls`` is the most that a
    poll may cost when nothing changed. ``keeps_history``: `Reading.trail` tells values that came
    and went. ``names_deleter``: removals name who deleted.
    """

    source: str
    object: str
    text_field: str
    other_field: str
    choice_field: str
    bad_choice: str
    locked_field: str
    unknown_id: str
    many: int
    quiet_calls: int
    keeps_history: bool
    names_deleter: bool
    secrets: Sequence[str]
    user: Someone
    app: Someone

    def connect(self) -> Connector:
        """Return a new connector with the reading identity."""
        ...

    def connect_restorer(self) -> Connector:
        """Return a new connector with the identity that may write."""
        ...

    def create(self, count: int) -> Sequence[str]:
        """Let the user create records and return their ids."""
        ...

    def update(self, ids: Sequence[str], values: Values, *, by: Someone | None = None) -> None:
        """Let somebody (the user, if not told) set the same values on records."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Let the user delete records."""
        ...

    def restore(self, ids: Sequence[str]) -> None:
        """Let the user bring records back from the recycle bin."""
        ...

    def hide(self, field_name: str) -> None:
        """Take a field away from the reading identity, or from the object."""
        ...

    def truth(self) -> Mapping[str, Mapping[str, Token]]:
        """Return every live record's true values as tokens; fields the rig is unsure of absent."""
        ...

    def one_moment(self) -> AbstractContextManager[None]:
        """Let everything inside happen at the same millisecond."""
        ...

    def turn(self, seconds: float) -> None:
        """Let time pass in the CRM."""
        ...

    def fault(
        self,
        kind: Fault,
        *,
        writes: bool = False,
        times: int = 1,
        skip: int = 0,
        retry_after: int | None = None,
    ) -> None:
        """Make the next requests fail: any, or only those that write records."""
        ...

    def calm(self) -> None:
        """Forget the faults that have not struck."""
        ...

    def requests(self) -> int:
        """Return how many requests the CRM has received."""
        ...


@dataclass
class Run:
    """What the pages of a run brought."""

    pages: list[Page] = field(default_factory=list)

    @property
    def readings(self) -> list[Reading]:
        return [one for page in self.pages for one in page.readings]

    @property
    def removals(self) -> list[Removal]:
        return [one for page in self.pages for one in page.removals]

    @property
    def gaps(self) -> list[Gap]:
        return [one for page in self.pages for one in page.gaps]

    @property
    def position(self) -> str:
        return self.pages[-1].cursor

    def ids(self) -> list[str]:
        return [reading.ref.id for reading in self.readings]

    def seen(self) -> set[str]:
        """The records that were read or sighted."""
        sighted = {one.id for page in self.pages for one in page.sightings}
        return sighted | set(self.ids())

    def reading(self, id_: str) -> Reading:
        found: Reading | None = None
        for one in self.readings:
            if one.ref.id == id_:
                found = one
        assert found is not None, f"no reading of {id_}"
        return found


def drive(
    rig: Rig,
    connector: Connector,
    position: str | None = None,
    mode: Mode = Mode.INCREMENTAL,
    *,
    most: int = 2_000,
) -> Run:
    """Run to the end; a run that never ends fails."""
    run = Run()
    cursor = connector.start(rig.object, position, mode)
    while len(run.pages) < most:
        page = connector.page(rig.object, cursor)
        run.pages.append(page)
        cursor = page.cursor
        if page.done:
            return run
    raise AssertionError(f"the run did not end within {most} pages")


def crash_driven(rig: Rig, position: str | None, mode: Mode = Mode.INCREMENTAL) -> Run:
    """Run to the end with a new connector for every page, as if the process died each time."""
    run = Run()
    for connector in fresh_connectors(rig):
        # The store keeps the cursor; a run under way goes on whatever is asked for next.
        cursor = connector.start(rig.object, position, Mode.INCREMENTAL if run.pages else mode)
        try:
            page = connector.page(rig.object, cursor)
        except Throttled as error:  # no connector remembers what the one before it sent
            rig.turn(error.after or 1)
            continue
        run.pages.append(page)
        position = page.cursor
        if page.done:
            break
    return run


def fresh_connectors(rig: Rig) -> Iterator[Connector]:
    """Yield new connectors, each closed when the next is asked for; 2,000 at most."""
    for _ in range(2_000):
        with closing(rig.connect()) as connector:
            yield connector
    raise AssertionError("the run did not end within 2,000 pages")
