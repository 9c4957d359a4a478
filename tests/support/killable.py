"""The command line in processes of its own, which can be killed at a chosen moment."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

PROGRAM = Path(sys.executable).with_name("crmtrail")
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a run ended: the exit code (negative: the signal that ended it) and what it said."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        """Return the one JSON document of standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Running(Protocol):
    """A process that has not begun, or runs, or has ended and still owns its process id."""

    pid: int

    def go(self) -> None: ...

    def wait(self) -> None: ...

    def reap(self) -> int: ...


class Killer:
    """Sends one process SIGKILL: at once when asked to, or after some seconds.

    Args:
        after: seconds from the start after which it kills by itself.
        pause: seconds from `strike` to the kill.
    """

    def __init__(self, *, after: float | None = None, pause: float = 0.0) -> None:
        self._after = after
        self._pause = pause
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._timers: list[threading.Timer] = []

    def arm(self, pid: int) -> None:
        with self._lock:
            self._pid = pid
        if self._after is not None:
            self._kill_in(self._after)

    def strike(self) -> None:
        if self._pause:
            self._kill_in(self._pause)
        else:
            self._kill()

    def disarm(self) -> None:
        """Return once no signal can be sent any more."""
        with self._lock:
            self._pid = None
            timers, self._timers = self._timers, []
        for timer in timers:
            timer.cancel()
            timer.join()

    def _kill_in(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._kill)
        with self._lock:
            if self._pid is None:
                return
            self._timers.append(timer)
            timer.start()

    def _kill(self) -> None:
        with self._lock:
            if self._pid is not None:
                os.kill(self._pid, signal.SIGKILL)


class CommandLine:
    """Runs ``crmtrail``, by default forked from a process that has imported it already.

    Args:
        folder: for the files that take the output.
    """

    def __init__(self, folder: Path) -> None:
        self._out, self._err = folder / "out", folder / "err"
        self._nursery = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forking_cli.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._nursery.communicate()

    def run(self, *arguments: str, killer: Killer | None = None, from_shell: bool = False) -> Ended:
        """Run the program to its end, or until it is killed.

        ``from_shell`` starts the installed program itself.
        """
        running = self._started(arguments) if from_shell else self._forked(arguments)
        if killer is not None:
            killer.arm(running.pid)
        running.go()
        running.wait()
        if killer is not None:
            killer.disarm()
        code = running.reap()
        return Ended(code, self._out.read_text(), self._err.read_text())

    def _forked(self, arguments: Sequence[str]) -> Running:
        order = {"arguments": arguments, "out": str(self._out), "err": str(self._err)}
        return _Forked(self._nursery, order)

    def _started(self, arguments: Sequence[str]) -> Running:
        with self._out.open("w") as out, self._err.open("w") as err:
            return _Started(
                subprocess.Popen(
                    [str(PROGRAM), *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err
                )
            )


class _Started:
    """A process of its own from the beginning; it runs from the moment it is made."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def go(self) -> None:
        pass

    def wait(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def reap(self) -> int:
        return self._process.wait()


class _Forked:
    """A fork of the nursery."""

    def __init__(self, nursery: subprocess.Popen[str], order: dict[str, Any]) -> None:
        self._nursery = nursery
        self.pid: int = self._ask(json.dumps(order))

    def go(self) -> None:
        self._tell("go")

    def wait(self) -> None:
        assert self._hear() == "ended"

    def reap(self) -> int:
        code: int = self._ask("done")
        return code

    def _ask(self, line: str) -> Any:
        self._tell(line)
        return self._hear()

    def _tell(self, line: str) -> None:
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(line + "\n")
        self._nursery.stdin.flush()

    def _hear(self) -> Any:
        assert self._nursery.stdout is not None
        return json.loads(self._nursery.stdout.readline())
