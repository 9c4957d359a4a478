"""One CRM, a command line that can be killed, and a store: what a test of kill -9 needs."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from support.killable import KILLED, CommandLine, Ended, Killer
from support.office import Office
from support.store_audit import Auditor
from support.watched_sandbox import ANY, Cue, Watched, When, watched_sandbox

SOURCES = {"salesforce": "sf", "hubspot": "hs"}

_LONGEST_PAUSE = {"salesforce": 0.6, "hubspot": 0.1}
"""Seconds from an answer to the kill: about what a full page takes to be stored."""

_WHENS: tuple[When, ...] = ("lost", "arrived", "carried out")


@dataclass(frozen=True)
class Usual:
    """How many requests and seconds a run takes when nobody kills it."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Moment:
    """When to kill."""

    sort: str
    killer: Killer
    cues: tuple[Cue, ...] = ()


@dataclass
class KillBench:
    """What belongs together.

    ``since`` is the number of the last journal entry before the store's first sync. ``kills``
    counts the kills that struck, by their sort.
    """

    watched: Watched
    cli: CommandLine
    folder: Path
    office: Office
    auditor: Auditor
    rng: random.Random
    stores: int = 0
    since: int = 0
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / f'store-{self.stores}.db'}"

    @property
    def _config(self) -> Path:
        return self.folder / "crmtrail.yaml"

    def new_store(self) -> None:
        """Begin with an empty store."""
        self.stores += 1
        self.since = self.auditor.now()
        self.office.forget_the_bin()  # an empty store does not know what was deleted before
        crm, tokens = self.watched.wire.crm, self.watched.tokens
        self._config.write_text(
            f"user: tester\n"
            f"store: {{url: '{self.url}'}}\n"
            f"rules: {{burst: 1s}}\n"  # each mass edit is an incident of its own
            f"sources:\n"
            f"  {SOURCES[crm]}:\n"
            f"    kind: {crm}\n"
            f"    base_url: {self.watched.server.url}\n"
            f"    auth: {{token: '{tokens['observer']}'}}\n"
            f"    restore_auth: {{token: '{tokens['restorer']}'}}\n"
            f"    objects: [{', '.join(self.office.kind.objects)}]\n"
        )

    def ask(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """Run a command to its end and return its answer."""
        ended = self._run(*arguments)
        assert ended.code in codes, (arguments, ended.code, ended.out, ended.err)
        return ended.document()

    def timed(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Usual:
        """Run a command to its end, to know what to expect of the next ones."""
        began = monotonic()
        with self.watched.server.watching():
            self.ask(*arguments, codes=codes)
        return Usual(self.watched.server.seen, monotonic() - began)

    def sync(self) -> None:
        """Sync to the end: no lease of a dead process may be in the way."""
        runs = self.ask("sync")["runs"]
        assert [run["state"] for run in runs] == ["done"] * len(self.office.kind.objects), runs

    def by_clock(self, usual: Usual) -> Moment:
        """Return any time of a run."""
        return Moment("by the clock", Killer(after=self.rng.uniform(0, usual.seconds)))

    def by_request(self, last: int, matching: re.Pattern[str] = ANY) -> Moment:
        """Return a moment around one of the first ``last`` requests, or shortly after it."""
        longest = _LONGEST_PAUSE[self.watched.wire.crm]
        pause = self.rng.choice((0.0, self.rng.uniform(0, longest)))
        killer = Killer(pause=pause)
        when = self.rng.choice(_WHENS)
        cue = Cue(self.rng.randint(1, last), when, killer.strike, matching)
        return Moment(f"after a request {when}" if pause else f"request {when}", killer, (cue,))

    def kill(
        self, moment: Moment, *arguments: str, cues: tuple[Cue, ...] = (), from_shell: bool = False
    ) -> bool:
        """Kill a command at a moment; return False where it was faster.

        Args:
            moment: when.
            arguments: of the command.
            cues: what else shall happen meanwhile.
            from_shell: whether to start the installed program itself.
        """
        with self.watched.server.watching(*moment.cues, *cues):
            ended = self._run(*arguments, killer=moment.killer, from_shell=from_shell)
        struck = ended.code == KILLED
        self.kills[moment.sort] += struck
        return struck

    def _run(self, *arguments: str, **options: Any) -> Ended:
        return self.cli.run("--config", str(self._config), "--json", *arguments, **options)


@contextmanager
def kill_bench(
    crm: str, cli: CommandLine, folder: Path, *, records: int, seed: str
) -> Iterator[KillBench]:
    """Start one CRM with about so many records, and begin with an empty store."""
    rng = random.Random(f"{seed}/{crm}")  # noqa: S311 -- repeatable, nothing here is secret
    with watched_sandbox(crm, records) as watched:
        if crm == "hubspot":  # a new process does not know what the killed one has sent
            watched.wire.act({"do": "limits", "burst": None, "search": None})
        office = Office(watched, rng)
        auditor = Auditor(watched, SOURCES[crm], office.kind.objects)
        made = KillBench(watched, cli, folder, office, auditor, rng)
        made.new_store()
        yield made
