"""Run one sync of one object: the loop over pages, under a lease."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crmtrail.errors import CrmtrailError, CursorLost, Doubtful, Mistake, Unavailable
from crmtrail.model import Gap, Lease, Mode, Page, Schema, Usage
from crmtrail.ports import Clock, Connector, Kept, Leases, Notice, Store
from scheduler.sweep import begun, ended, lost, with_content


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run ended early, in one line, with the hint and the exit code of the error.

    ``unreachable``: the CRM gave no usable answer.
    """

    message: str
    hint: str
    exit_code: int
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What one sync of one object did.

    ``state`` is running, done, stopped (asked to, or a question is open: see ``failure``), failed,
    or locked (another runner has it).
    """

    source: str
    object: str
    mode: Mode
    state: str
    kept: Kept = field(default_factory=Kept)
    api_calls: int = 0
    watermark: datetime | None = None
    complete_to: datetime | None = None
    gaps: tuple[Gap, ...] = ()
    failure: Failure | None = None


Progress = Callable[[Run], None]

_STEP = 1.0
"""Seconds of a pause after which to look whether to stop."""


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What whoever asked for a run wants of it."""

    stopping: Callable[[], bool]
    accept_loss: bool


@dataclass(slots=True)
class _Keeping:
    """Keeps the pages of one run."""

    store: Store
    notice: Notice
    source: str
    run: int
    lease: Lease

    def keep(self, page: Page) -> Kept:
        """Store one page in one transaction."""
        return self.store.keep(
            page, source=self.source, run=self.run, lease=self.lease, notice=self.notice
        )


class Runner:
    """Runs syncs for one holder. The store, like the runner, belongs to one thread."""

    def __init__(
        self,
        store: Store,
        leases: Leases,
        clock: Clock,
        notice: Notice,
        *,
        holder: str,
        ttl: timedelta,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._leases = leases
        self._clock = clock
        self._notice = notice
        self._holder = holder
        self._ttl = ttl
        self._sleep = sleep

    def run(
        self,
        connector: Connector,
        object_: str,
        mode: Mode,
        *,
        stopping: Callable[[], bool] = lambda: False,
        progress: Progress = lambda _: None,
        accept_loss: bool = False,
    ) -> Run:
        """Sync one object until it is complete, stopped or failed; errors become the result.

        Whatever happens, every page kept stays kept and the next run goes on after it.

        Args:
            connector: the account.
            object_: which object.
            mode: how far the run reaches.
            stopping: asked after each page whether to stop.
            progress: told after each page how far the run is.
            accept_loss: whether to believe that most records are gone, if a sweep says so.
        """
        run = Run(connector.source, object_, mode, "running")
        lease = self._leases.acquire(connector.source, object_, self._holder, self._ttl)
        if lease is None:
            return replace(
                run,
                state="locked",
                failure=Failure(
                    f"another runner is syncing {connector.source}:{object_}",
                    "wait for it, or stop the `crmtrail serve` that holds it",
                    11,
                ),
            )
        try:
            return self._under(lease, connector, run, _Wishes(stopping, accept_loss), progress)
        finally:
            self._leases.release(lease)

    def _under(
        self,
        lease: Lease,
        connector: Connector,
        run: Run,
        wishes: "_Wishes",
        progress: Progress,
    ) -> Run:
        before = connector.calls
        met = _meet(connector, run.object)
        if isinstance(met, Mistake) and not self._known(run):
            # A name that the vendor does not know leaves nothing in the store.
            return replace(
                run,
                state="failed",
                failure=_failure(met),
                api_calls=connector.calls - before,
            )
        number = self._store.begin(run.source, run.object, run.mode, self._clock.now())

        def spent(state: Run) -> Run:
            return replace(state, api_calls=connector.calls - before)

        def tell(state: Run) -> None:
            nonlocal run
            run = spent(state)
            progress(run)

        try:
            self._learn(met)
            run = spent(self._pages(lease, connector, number, run, wishes, tell))
        except CrmtrailError as error:
            run = spent(replace(run, state="failed", failure=_failure(error)))
        except BaseException:
            stopped = replace(spent(run), state="failed")
            self._finish(number, stopped, "the program stopped", connector.usage())
            raise
        told = run.failure.message if run.failure else ""
        self._finish(number, run, told, connector.usage())
        return run

    def _learn(self, met: Schema | CrmtrailError) -> None:
        if isinstance(met, CrmtrailError):
            raise met
        self._store.learn(met, self._clock.now())

    def _known(self, run: Run) -> bool:
        return self._store.standing(run.source, run.object).last_run is not None

    def _finish(self, number: int, run: Run, detail: str, usage: Usage) -> None:
        self._store.finish(
            number,
            state=run.state,
            at=self._clock.now(),
            api_calls=run.api_calls,
            detail=detail,
            usage=usage,
        )

    def _pages(
        self,
        lease: Lease,
        connector: Connector,
        number: int,
        run: Run,
        wishes: "_Wishes",
        tell: Progress,
    ) -> Run:
        position = self._store.standing(run.source, run.object).cursor
        cursor = connector.start(run.object, position, run.mode)
        restarted = False
        while True:
            try:
                page = connector.page(run.object, cursor)
            except CursorLost:
                # The vendor forgot our place. Reading everything again is dear but complete;
                # what is unchanged costs no version.
                if restarted:
                    raise
                restarted = True
                cursor = connector.start(run.object, None, Mode.FULL)
                continue
            keeping = _Keeping(self._store, self._notice, run.source, number, self._held(lease))
            page = with_content(connector, self._store, page)
            doubt: Doubtful | None = None
            if page.done and page.swept is not None:
                # What comes before the last cursor is kept first, so that a crash repeats it.
                run = _after(run, page, keeping.keep(begun(page, cursor)))
                try:
                    for found in lost(connector, self._store, page, accept_loss=wishes.accept_loss):
                        lease = keeping.lease = self._held(keeping.lease)
                        run = _after(run, found, keeping.keep(replace(found, cursor=cursor)))
                except Doubtful as error:
                    doubt = error  # the position moves on all the same, and polls with it
                page = ended(page)
            # A crash here repeats nothing: the cursor is stored with the page.
            run = _after(run, page, keeping.keep(page))
            tell(run)
            if doubt is not None:
                return replace(run, state="stopped", failure=_failure(doubt))
            if page.done:
                return replace(run, state="done")
            lease = self._wait(page.pause, lease, wishes)
            if wishes.stopping():
                return replace(run, state="stopped")
            cursor = page.cursor

    def _wait(self, seconds: float, lease: Lease, wishes: "_Wishes") -> Lease:
        """Give the vendor the time it takes to prepare the next page, and keep the lease."""
        while seconds > 0 and not wishes.stopping():
            step = min(seconds, _STEP)
            self._sleep(step)
            seconds -= step
            lease = self._held(lease)
        return lease

    def _held(self, lease: Lease) -> Lease:
        """Renew a lease in its second half. A lost one is refused by the page's transaction."""
        if lease.expires_at - self._clock.now() > self._ttl / 2:
            return lease
        return self._leases.renew(lease, self._ttl) or lease


def _meet(connector: Connector, object_: str) -> Schema | CrmtrailError:
    """Return the object's fields, or why they cannot be had."""
    try:
        return connector.schema(object_)
    except CrmtrailError as error:
        return error


def _failure(error: CrmtrailError) -> Failure:
    return Failure(str(error), error.hint, error.exit_code, isinstance(error, Unavailable))


def _after(run: Run, page: Page, kept: Kept) -> Run:
    return replace(
        run,
        kept=run.kept + kept,
        watermark=page.watermark or run.watermark,
        complete_to=page.complete_to or run.complete_to,
        gaps=(*run.gaps, *page.gaps, *kept.gaps),
    )
