"""Breaks one system call of a victim with strace, and says which calls there are to break.

strace counts the calls of the process that it is attached to, from the moment it is attached; the
victim waits for that at a gate. Every call that names or has open a file in the store's folder
counts as one of the store's. https://man7.org/linux/man-pages/man1/strace.1.html, "Tampering".
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.faults import victim
from support.faults.victim import Ended, Place

STRACE = shutil.which("strace")

CALLS = (
    "pwrite64",
    "write",
    "fdatasync",
    "fsync",
    "ftruncate",
    "unlink",
    "openat",
    "rename",
    "link",
    "pread64",
)
"""How SQLite, and all else of a store, changes or reads files. One never made costs nothing."""

_LINE = re.compile(r"^(?:\d+ +)?(?P<call>\w+)\((?P<arguments>.*)")
_RANDOM_END = re.compile(r"\.[0-9a-f]{16}$")
"""What a file is called for a moment, before it is put in its place."""

_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Occurrence:
    """The ``number``-th call of a kind, counted from 1, and the file it was about."""

    call: str
    number: int
    file: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call: ``KILL`` kills before it, anything else is the error it returns.

    ``lasts``: every later call of the kind fails as well, as on a disk that stays full.
    """

    kind: str
    lasts: bool = False

    def __str__(self) -> str:
        return f"{self.kind} from then on" if self.lasts else self.kind

    def told(self, occurrence: Occurrence) -> str:
        what = "signal=SIGKILL" if self.kind == "KILL" else f"error={self.kind}"
        return f"{occurrence.call}:{what}:when={occurrence.number}{'+' if self.lasts else ''}"


class Untraceable(Exception):
    """strace is not installed, or the system does not let it attach."""


def traced(place: Place) -> tuple[list[Occurrence], Ended]:
    """Run a victim undisturbed and return the calls that it made for its store."""
    told, ended = _run(place, None)
    return list(_occurrences(told, place.store)), ended


def injected(place: Place, occurrence: Occurrence, fault: Fault) -> tuple[Ended, bool]:
    """Run a victim and break one call; return how it ended, and whether it was one for its store.

    Calls for other files, such as Python's own, may come between, and then another is broken.
    """
    told, ended = _run(place, fault.told(occurrence))
    if fault.kind == "KILL":
        struck = told.splitlines()[-2:]  # the call, and that its process was killed
    else:
        struck = [line for line in told.splitlines() if "(INJECTED)" in line][:1]
    return ended, any(str(place.store) in line for line in struck)


def _run(place: Place, injection: str | None) -> tuple[str, Ended]:
    if STRACE is None:
        raise Untraceable("strace is not installed")
    gate, opener = os.pipe()
    pid = victim.start(place, gate)
    os.close(gate)
    log = place.folder / "strace"
    options = ["-e", f"trace={','.join(CALLS)}", "-y", "-s", "0", "-o", str(log)]
    if injection is not None:
        options += ["-e", f"inject={injection}"]
    tracer = subprocess.Popen(
        [STRACE, "-f", *options, "-p", str(pid)], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None
    with tracer.stderr:
        attached = tracer.stderr.readline()
        os.write(opener, b"g")
        os.close(opener)
        ended = victim.ended(place, pid)
        said = attached + tracer.stderr.read()
    tracer.wait(_LONGEST_S)
    if "attached" not in attached:
        raise Untraceable(said.strip())
    return log.read_text(errors="replace"), ended


def _occurrences(told: str, folder: Path) -> Iterator[Occurrence]:
    numbers: Counter[str] = Counter()
    inside = re.compile(rf"{re.escape(str(folder))}/?(?P<name>[^>\"]*)")
    for line in told.splitlines():
        made = _LINE.match(line)
        if made is None or made["call"] not in CALLS:
            continue
        numbers[made["call"]] += 1
        about = inside.search(made["arguments"])
        if about is not None:
            name = _RANDOM_END.sub("", about["name"])
            yield Occurrence(made["call"], numbers[made["call"]], name)
