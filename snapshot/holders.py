"""Who holds a lease: one process of one host, and whether it still runs."""

import os
import socket
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_START_FIELD: Final = 22
"""Where /proc/PID/stat tells when a process started, in clock ticks since boot (proc(5))."""


def this_process() -> str:
    """Return this process as a holder: host, process id, and when it started."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid) or ''}"


def still_runs(holder: str) -> bool:
    """Return False where a holder is a process of this host that runs no more.

    One of another host, or in a form that is not ours, counts as running: only time ends that.
    """
    host, pid, start = ([*holder.rsplit(":", 2), "", ""])[:3]
    if host != socket.gethostname() or not pid.isdecimal() or not start or not _PROC.is_dir():
        return True
    return _started(int(pid)) == start


def _started(pid: int) -> str | None:
    """Return when a process started; None where there is none, or the system does not tell."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in brackets, which may hold spaces and brackets.
    rest = stat.rpartition(")")[2].split()
    state, start = rest[0], rest[_START_FIELD - 3]
    return None if state in {"Z", "X"} else start
