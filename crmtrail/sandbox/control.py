"""The control API under ``/_sandbox/``: reset, clock, act, faults, journal, requests, truth."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from crmtrail.sandbox.faults import Fault
from crmtrail.sandbox.http import Reply, Request, Wire
from crmtrail.sandbox.world import SIZES, World


class Control:
    """Answers control requests. Everything it can do is also plain Python for tests in-process."""

    def __init__(self, world: World, wires: list[Wire]) -> None:
        self.world = world
        self.wires = {wire.crm: wire for wire in wires}
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("POST", "reset"): self._reset,
            ("POST", "clock"): self._clock,
            ("GET", "clock"): lambda _: self._time(),
            ("POST", "act"): self._act,
            ("POST", "faults"): self._place,
            ("GET", "faults"): lambda _: [asdict(fault) for fault in world.faults.waiting()],
            ("DELETE", "faults"): lambda _: world.faults.clear(),
            ("GET", "journal"): self._journal,
            ("GET", "requests"): self._requests,
            ("GET", "truth"): self._truth,
            ("GET", "people"): lambda _: {crm: wire.people() for crm, wire in self.wires.items()},
        }

    def handle(self, request: Request) -> Reply:
        """Answer one control request; a mistake in it gets 400 and one clear line."""
        route = self._routes.get((request.method, request.path.removeprefix("/_sandbox/")))
        if route is None:
            return Reply.of(404, {"error": f"no control route {request.method} {request.path}"})
        try:
            return Reply.of(200, route(request))
        except (ValueError, KeyError, TypeError) as error:
            return Reply.of(400, {"error": f"{type(error).__name__}: {error}"})

    def reset(self, *, seed: int, size: str) -> None:
        """Empty the world and fill it anew.

        Raises:
            ValueError: an unknown size.
        """
        if size not in SIZES:
            raise ValueError(f"unknown size {size!r}; known are {', '.join(SIZES)}")
        self.world.seed = seed
        self.world.empty()
        self.world.db.execute("BEGIN")
        for wire in self.wires.values():
            wire.create()
            wire.seed(SIZES[size] // len(self.wires))
        self.world.remember("seeded", f"{seed}/{size}")
        self.world.db.execute("COMMIT")

    def _reset(self, request: Request) -> dict[str, Any]:
        order = request.json()
        self.reset(seed=int(order.get("seed", 1)), size=str(order.get("size", "small")))
        return self._time()

    def _time(self) -> dict[str, str]:
        return {"now": self.world.clock.now().isoformat()}

    def _clock(self, request: Request) -> dict[str, str]:
        order = request.json()
        if "freeze" in order:
            self.world.clock.freeze(datetime.fromisoformat(order["freeze"]).astimezone(UTC))
        if order.get("release"):
            self.world.clock.release()
        self.world.clock.turn(float(order.get("turn", 0)))
        return self._time()

    def _act(self, request: Request) -> dict[str, Any]:
        order = request.json()
        wire = self.wires[str(order["crm"])]
        self.world.db.execute("BEGIN")
        try:
            done = wire.act(order)
        except BaseException:
            self.world.db.execute("ROLLBACK")
            raise
        self.world.db.execute("COMMIT")
        return done

    def _place(self, request: Request) -> dict[str, Any]:
        fault = Fault.parse(request.json())
        self.world.faults.place(fault)
        return asdict(fault)

    def _journal(self, request: Request) -> list[dict[str, Any]]:
        return self.world.journalled(
            crm=request.one("crm") or "",
            since=int(request.one("since") or 0),
            record=request.one("record") or "",
        )

    def _requests(self, request: Request) -> list[dict[str, Any]]:
        return self.world.requests(
            crm=request.one("crm") or "", since=int(request.one("since") or 0)
        )

    def _truth(self, request: Request) -> list[dict[str, Any]]:
        wire = self.wires[request.one("crm") or ""]
        return wire.truth(request.one("object") or "", request.one("id"))
