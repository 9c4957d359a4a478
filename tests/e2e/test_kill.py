"""kill -9 at random moments of a sync and of a restore; then the same command again."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest
from support.killable import KILLED, CommandLine, Ended, Killer
from support.office import Office
from support.store_audit import Auditor
from support.watched_sandbox import Cue, Watched, When, watched_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 25
"""For each of the two CRMs."""

RECORDS = {"salesforce": 3_700, "hubspot": 1_200}
"""Enough for several pages of contacts."""

SOURCES = {"salesforce": "sf", "hubspot": "hs"}
WHENS: tuple[When, ...] = ("lost", "arrived", "carried out")


@dataclass
class Usual:
    """How many requests and seconds a run takes when nobody kills it."""

    requests: int = 0
    seconds: float = 0.0


@dataclass
class Bench:
    """One CRM, a command line, and a store."""

    watched: Watched
    cli: CommandLine
    folder: Path
    office: Office
    auditor: Auditor
    rng: random.Random
    stores: int = 0
    since: int = 0
    kills: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / f'store-{self.stores}.db'}"

    @property
    def config(self) -> Path:
        return self.folder / "crmtrail.yaml"

    def new_store(self) -> None:
        """Begin with an empty store."""
        self.stores += 1
        self.since = self.auditor.now()
        crm, tokens = self.watched.wire.crm, self.watched.tokens
        self.config.write_text(
            f"user: tester\n"
            f"store: {{url: '{self.url}'}}\n"
            f"sources:\n"
            f"  {SOURCES[crm]}:\n"
            f"    kind: {crm}\n"
            f"    base_url: {self.watched.server.url}\n"
            f"    auth: {{token: '{tokens['observer']}'}}\n"
            f"    restore_auth: {{token: '{tokens['restorer']}'}}\n"
            f"    objects: [{', '.join(self.office.kind.objects)}]\n"
        )

    def run(self, *arguments: str, **options: object) -> Ended:
        return self.cli.run("--config", str(self.config), "--json", *arguments, **options)

    def kill(self, usual: Usual, *cues: Cue, arguments: tuple[str, ...]) -> bool:
        """Run a command and kill it at a random moment; return False if it was faster."""
        by_clock = self.rng.random() < 0.4
        if by_clock:
            killer = Killer(after=self.rng.uniform(0, usual.seconds))
            words = "by the clock"
        else:
            killer = Killer(pause=self.rng.choice((0.0, 0.0, self.rng.uniform(0, 0.2))))
            when = self.rng.choice(WHENS)
            cues += (Cue(self.rng.randint(1, usual.requests), when, killer.strike),)
            words = f"request {when}"
        with self.watched.server.watching(*cues):
            ended = self.run(*arguments, killer=killer)
        if ended.code == KILLED:
            self.kills.append(words)
            return True
        return False


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with CommandLine(tmp_path_factory.mktemp("cli")) as made:
        yield made


@contextmanager
def bench(crm: str, cli: CommandLine, folder: Path) -> Iterator[Bench]:
    rng = random.Random(f"kill/{crm}")
    with watched_sandbox(crm, RECORDS[crm]) as watched:
        if crm == "hubspot":  # a new process does not know what the killed one has sent
            watched.wire.act({"do": "limits", "burst": None, "search": None})
        office = Office(watched, rng)
        auditor = Auditor(watched, SOURCES[crm], office.kind.objects)
        yield Bench(watched, cli, folder, office, auditor, rng)


def synced(it: Bench) -> Usual:
    began = monotonic()
    with it.watched.server.watching():
        ended = it.run("sync")
    assert ended.code == 0, (ended.code, ended.out, ended.err)
    assert {run["state"] for run in ended.document()["runs"]} == {"done"}
    return Usual(it.watched.server.seen, monotonic() - began)


@pytest.mark.parametrize("crm", SOURCES)
def test_a_killed_sync_loses_nothing_and_doubles_nothing(crm, cli, tmp_path, capsys):
    with bench(crm, cli, tmp_path) as it:
        it.new_store()
        first = synced(it)
        it.office.work()
        later = synced(it)
        while len(it.kills) < KILLS:
            a = monotonic()
            usual = later
            if it.rng.random() < 0.2:
                it.new_store()
                usual = first
            else:
                it.office.rest()
                it.office.work()
            b = monotonic()
            for _ in range(it.rng.choice((1, 1, 2))):
                it.kill(usual, arguments=("sync",))
            c = monotonic()
            synced(it)
            d = monotonic()
            found = it.auditor.audit(it.url, since=it.since)
            assert not found, found
            e = monotonic()
            with capsys.disabled():
                print(
                    len(it.kills),
                    it.kills[-1:],
                    usual.requests,
                    f"work {b - a:.2f} kill {c - b:.2f} sync {d - c:.2f} audit {e - d:.2f}",
                )
        with capsys.disabled():
            print(f"\n{len(it.kills)} kills of a sync of {crm}: 0 lost, 0 doubled")
