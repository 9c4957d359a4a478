"""The part of a rig that is the same for both vendors: the sandbox CRM and its control API."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from crmtrail.config import AuthConfig, SourceConfig
from crmtrail.sandbox.client import Sandbox
from crmtrail.sandbox.server import Server
from support.connector_rig import Fault, Someone, Values


class WallClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SandboxRig:
    """One CRM of a sandbox server that runs in this process.

    Subclasses set the class attributes and add `connect`, `connect_restorer`, `truth`, `hide`
    and ``records``.
    """

    crm: ClassVar[str]
    object: str
    write_paths: ClassVar[str]
    """A regular expression of the requests that write records."""

    user: Someone
    app: Someone

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sandbox = Sandbox(server.url)
        self.people = self.sandbox.people(self.crm)
        self.secrets: Sequence[str] = tuple(self.people["tokens"].values())

    def settings(self, role: str, **more: str) -> SourceConfig:
        """Return the source's settings with the token of a role."""
        auth = AuthConfig(token=self.people["tokens"][role])
        return SourceConfig.model_validate(
            {"kind": self.crm, "base_url": self.server.url, "auth": auth, **more}
        )

    def record(self, number: int) -> Values:
        """Return the values of the n-th new record."""
        raise NotImplementedError

    def create(self, count: int) -> Sequence[str]:
        made = [{"fields": dict(self.record(number))} for number in range(count)]
        return self._act("create", made, self.user)

    def update(self, ids: Sequence[str], values: Values, *, by: Someone | None = None) -> None:
        self._act("update", [{"id": id_, "fields": dict(values)} for id_ in ids], by or self.user)

    def delete(self, ids: Sequence[str]) -> None:
        self._act("delete", [{"id": id_} for id_ in ids], self.user)

    def restore(self, ids: Sequence[str]) -> None:
        self._act("restore", [{"id": id_} for id_ in ids], self.user)

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        clock = self.server.world.clock
        clock.freeze(clock.now())
        yield
        clock.release()

    def turn(self, seconds: float) -> None:
        self.sandbox.turn(seconds)

    def fault(
        self,
        kind: Fault,
        *,
        writes: bool = False,
        times: int = 1,
        skip: int = 0,
        retry_after: int | None = None,
    ) -> None:
        self.sandbox.fault(
            "throttle" if kind == "quota" else kind,
            crm=self.crm,
            path=self.write_paths if writes else "",
            times=times,
            skip=skip,
            retry_after=retry_after,
            quota=kind == "quota",
        )

    def calm(self) -> None:
        self.sandbox.calm()

    def requests(self) -> int:
        return len(self.sandbox.requests(crm=self.crm))

    def _act(self, verb: str, records: Sequence[Mapping[str, Any]], by: Someone) -> list[str]:
        kind = "app" if by == self.app else "user"
        done = self.sandbox.act(
            self.crm,
            do=verb,
            object=self.object,
            records=list(records),
            **{"as": {"kind": kind, "id": by.id}},
        )
        return [str(id_) for id_ in done["ids"]]
