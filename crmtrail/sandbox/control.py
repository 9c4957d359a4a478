"""The control API under ``/_sandbox/``: reset, clock, act, faults, journal, requests, truth."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
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
        except ValueError as error:
            return Reply.of(400, {"error": str(error)})
        except KeyError as error:
            return Reply.of(400, {"error": f"the order lacks {error}"})
        except TypeError as error:
            return Reply.of(400, {"error": f"a value is of the wrong type: {error}"})

    def reset(self, *, seed: int, size: str, features: Iterable[str] = ()) -> None:
        """Empty the world and fill it anew, with optional features of its CRMs.

        Raises:
            ValueError: an unknown size or feature.
        """
        if size not in SIZES:
            raise ValueError(f"unknown size {size!r}; known are {', '.join(SIZES)}")
        wanted = frozenset(features)
        known = frozenset[str]().union(*(wire.features for wire in self.wires.values()))
        if wanted - known:
            raise ValueError(
                f"unknown features {sorted(wanted - known)}; known are {', '.join(sorted(known))}"
            )
        self.world.features = wanted
        self.world.seed = seed
        self.world.empty()
        self.world.db.execute("BEGIN")
        for wire in self.wires.values():
            wire.create()
            wire.seed(SIZES[size] // len(self.wires))
        self.world.remember("seeded", f"{seed}/{size}")
        self.world.remember("features", " ".join(sorted(wanted)))
        self.world.db.execute("COMMIT")

    def _wire(self, crm: str | None) -> Wire:
        if crm not in self.wires:
            raise ValueError(f"unknown crm {crm!r}; known are {', '.join(self.wires)}")
        return self.wires[crm]

    def _reset(self, request: Request) -> dict[str, Any]:
        order = _order(request)
        features = order.get("features", ())
        if not isinstance(features, list | tuple):
            raise ValueError("features is a list of names, such as ['wide', 'namespace']")  # noqa: TRY004 -- told as 400
        self.reset(
            seed=int(order.get("seed", 1)),
            size=str(order.get("size", "small")),
            features=[str(name) for name in features],
        )
        return self._time()

    def _time(self) -> dict[str, str]:
        return {"now": self.world.clock.now().isoformat()}

    def _clock(self, request: Request) -> dict[str, str]:
        order = _order(request)
        if "freeze" in order:
            at = datetime.fromisoformat(order["freeze"])
            if at.tzinfo is None:
                raise ValueError("freeze wants a time with its offset, such as 2026-01-31T12:00Z")
            self.world.clock.freeze(at)
        if order.get("release"):
            self.world.clock.release()
        self.world.clock.turn(float(order.get("turn", 0)))
        return self._time()

    def _act(self, request: Request) -> dict[str, Any]:
        order = _order(request)
        wire = self._wire(order.get("crm"))
        self.world.db.execute("BEGIN")
        try:
            done = wire.act(order)
        except BaseException:
            self.world.db.execute("ROLLBACK")
            raise
        self.world.db.execute("COMMIT")
        return done

    def _place(self, request: Request) -> dict[str, Any]:
        fault = Fault.parse(_order(request))
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
        wire = self._wire(request.one("crm"))
        return wire.truth(request.one("object") or "", request.one("id"))


def _order(request: Request) -> dict[str, Any]:
    """Return the body of a control request; without one, an empty order."""
    order = request.json() if request.body else {}
    if not isinstance(order, dict):
        raise ValueError(f"a control order is a JSON object, not {type(order).__name__}")  # noqa: TRY004 -- told as 400
    return order
