"""Faults on order: what should go wrong, for which requests, how often."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

KINDS = (
    "unauthorized",  # 401 in the vendor's words
    "throttle",  # 429 (Salesforce: 403 REQUEST_LIMIT_EXCEEDED with quota=true), Retry-After if told
    "unavailable",  # 503, or another status above 499, with an HTML page
    "edge",  # 420 with an HTML page, from the gateway in front of Salesforce
    "cut_short",  # the answer breaks off in the middle of its body
    "reset_before",  # connection reset, the request is not carried out
    "reset_after",  # the request is carried out, then the connection is reset
    "half_batch",  # every second row of a batch write is refused
    "slow",  # the answer comes after so many seconds
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. It spares the first ``skip`` matching requests, then strikes ``times`` times.

    ``path`` is a regular expression searched in path and query; empty matches all.
    """

    kind: str
    crm: str = ""
    method: str = ""
    path: str = ""
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    retry_after: int | None = None
    quota: bool = False
    xml: bool = False
    status: int = 503

    @classmethod
    def parse(cls, order: Mapping[str, Any]) -> "Fault":
        """Read a fault from a control request.

        Raises:
            ValueError: an unknown kind or key, or a value that makes no sense.
        """
        known = {item.name for item in fields(cls)}
        if strange := set(order) - known:
            raise ValueError(f"unknown fault keys {sorted(strange)}; known are {sorted(known)}")
        if order.get("kind") not in KINDS:
            raise ValueError(
                f"unknown fault kind {order.get('kind')!r}; known are {', '.join(KINDS)}"
            )
        fault = cls(**order)
        if fault.times < 1 or fault.skip < 0 or fault.seconds < 0:
            raise ValueError("times must be at least 1, skip and seconds at least 0")
        if not 500 <= fault.status <= 599:  # noqa: PLR2004 -- the failures of a server
            raise ValueError("status is that of an unavailable server, from 500 to 599")
        try:
            re.compile(fault.path)
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from None
        return fault

    def matches(self, crm: str, method: str, target: str) -> bool:
        """Whether a request is of the kind this fault waits for."""
        return (
            self.crm in ("", crm)
            and self.method.upper() in ("", method)
            and re.search(self.path, target) is not None
        )


class Faults:
    """The faults on order, in the order they were placed."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def place(self, fault: Fault) -> None:
        """Add a fault."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        self._waiting.clear()

    def waiting(self) -> list[Fault]:
        """Return the faults that have not run out."""
        return list(self._waiting)

    def strike(self, crm: str, method: str, target: str) -> Fault | None:
        """Return the fault that hits this request, if any, and count it."""
        for index, fault in enumerate(self._waiting):
            if not fault.matches(crm, method, target):
                continue
            if fault.skip:
                self._waiting[index] = replace(fault, skip=fault.skip - 1)
                continue
            self._waiting[index] = replace(fault, times=fault.times - 1)
            if fault.times <= 1:
                del self._waiting[index]
            return fault
        return None
