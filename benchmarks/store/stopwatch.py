"""Wall and CPU time of a stretch of work, without what is none of the contender's."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Spent:
    """Seconds, and CPU seconds of all threads of this process."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what passes inside."""
        self._add(-1)
        try:
            yield
        finally:
            self._add(1)

    def pages(self, files: Iterable[Path]) -> Iterator[bytes]:
        """Yield pages to a contender at work; the reading of the files is not counted."""
        for file in files:
            self._add(1)
            body = file.read_bytes()
            self._add(-1)
            yield body

    def told(self) -> dict[str, float]:
        """Return the figures."""
        return {"wall": self.wall, "cpu": self.cpu}

    def _add(self, sign: int) -> None:
        self.wall += sign * time.perf_counter()
        self.cpu += sign * time.process_time()


def resident_peak() -> int:
    """Return the most bytes this process ever had resident (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
