"""The program that is broken: the real command line, in a forked process, over the story.

It runs ``crmtrail sync`` twice, once for each day of the story, into a store of its own. Only the
vendor is not real: the folder `PLUGIN` stands before the installed crmtrail on the path and names
another connector, as any distribution can.
"""

import contextlib
import ctypes
import gc
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from sqlalchemy import Engine, event

from crmtrail.cli.main import run
from snapshot.database import DRIVER
from support.faults.scripted import ASKED, PAUSE
from support.faults.story import DAYS, OBJECTS, SOURCE

LOG_PAGES = 60
"""After so many pages the log goes into the store's file; the default of 1,000 is never reached
by so small a story."""

FAILED = 70
"""Exit code of what should never happen in a victim: an exception that the program let pass."""

_CONFIG = f"""\
user: tester
store: {{{{url: "{{url}}"}}}}
sources:
  {SOURCE}:
    kind: salesforce
    base_url: http://127.0.0.1:9
    auth: {{{{token: none}}}}
    objects: [{", ".join(OBJECTS)}]
"""
_PLUGIN = ("connectors.salesforce:connect", "support.faults.scripted:connect")
_PR_SET_PTRACER = 0x59616D61
_ANYBODY = -1


@dataclass(frozen=True)
class Place:
    """A folder with a configuration and, under ``store/``, all that crmtrail writes.

    ``server`` is the URL of a database where the store is there and not in a file.
    """

    folder: Path
    server: str = ""

    @property
    def url(self) -> str:
        return self.server or f"sqlite:///{self.file}"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def file(self) -> Path:
        return self.store / "crmtrail.db"

    @property
    def config(self) -> Path:
        return self.folder / "crmtrail.yaml"

    @property
    def asked(self) -> Path:
        return self.folder / "asked"

    @property
    def said(self) -> Path:
        return self.folder / "said"

    def lay_out(self) -> None:
        """Write the configuration."""
        self.store.mkdir(parents=True, exist_ok=True)
        self.config.write_text(_CONFIG.format(url=self.url))
        self.config.chmod(0o600)


@dataclass(frozen=True)
class Ended:
    """How a victim ended: its exit code (negative: the signal), and its standard error."""

    code: int
    err: str


def install(folder: Path) -> None:
    """Let this process, and those forked from it, sync with the story instead of a vendor."""
    plugin = folder / "crmtrail-0.dist-info"
    plugin.mkdir(parents=True, exist_ok=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: crmtrail\nVersion: 0\n")
    installed = distribution("crmtrail").read_text("entry_points.txt") or ""
    (plugin / "entry_points.txt").write_text(installed.replace(*_PLUGIN))
    sys.path.insert(0, str(folder))
    event.listen(Engine, "connect", _log_often)


def warm_up(place: Place) -> None:
    """Import everything that a sync needs, so that a victim's calls are those of its work."""
    place.lay_out()
    os.environ[ASKED] = str(place.asked)
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = _days(place)
    if code:
        raise RuntimeError(f"an undisturbed sync failed: {said.getvalue()}")
    gc.collect()
    gc.freeze()


def start(
    place: Place,
    gate: int | None = None,
    *,
    prepare: Callable[[], None] = lambda: None,
) -> int:
    """Fork a victim and return its process id.

    Args:
        place: where it works.
        gate: a descriptor; the victim begins once it has read a byte from it.
        prepare: done by the victim before it begins.
    """
    pid = os.fork()
    if pid:
        return pid
    code = FAILED
    try:
        _allow_tracing()
        with place.said.open("w") as said:
            os.dup2(said.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), line_buffering=True)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False))
        os.environ[ASKED] = str(place.asked)
        prepare()
        if gate is not None:
            os.read(gate, 1)
        code = _days(place)
    except BaseException:  # noqa: BLE001 -- a forked process must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def paused(
    place: Place, at_page: tuple[str, str], *, prepare: Callable[[], None] = lambda: None
) -> Iterator[int]:
    """Start a victim and give its process id once it asks for a page; it goes on afterwards."""
    hear, tell = os.pipe()
    gate, opener = os.pipe()

    def wait_there() -> None:
        os.environ[PAUSE] = " ".join((*at_page, str(tell), str(gate)))
        os.close(opener)
        os.close(hear)
        prepare()

    pid = start(place, prepare=wait_there)
    os.close(tell)
    os.close(gate)
    heard = os.read(hear, 1)
    os.close(hear)
    if heard != b"p":
        raise RuntimeError(f"the victim never asked for {at_page}: {ended(place, pid)}")
    try:
        yield pid
    finally:
        os.close(opener)


def kill(pid: int) -> None:
    """Kill a victim that is not yet waited for; one that has ended takes no notice."""
    os.kill(pid, signal.SIGKILL)


def ended(place: Place, pid: int) -> Ended:
    """Wait for a victim."""
    _, status = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), place.said.read_text())


def _days(place: Place) -> int:
    """Sync once a day; stop at the first failure, as somebody would who looks at it."""
    for _ in range(DAYS):
        with contextlib.redirect_stdout(io.StringIO()):
            code = run(["--config", str(place.config), "--json", "sync"])
        if code:
            return code
    return 0


def _log_often(connection: object, _record: object) -> None:
    if isinstance(connection, DRIVER.Connection):
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")


def _allow_tracing() -> None:
    """Let a process that is no parent of ours trace this one, where the kernel asks (Yama)."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PTRACER, ctypes.c_ulong(_ANYBODY), 0, 0, 0)
