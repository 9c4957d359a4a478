"""The part of the configuration that names whom to tell of incidents."""

from collections.abc import Iterable
from string import Formatter
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from crmtrail.written import SET_ASIDE, Label, Lasting, ServiceUrl

_PLACE: Final = "incident"


def _link(value: str) -> str:
    try:
        names = [name for _, name, _, _ in Formatter().parse(value) if name is not None]
    except ValueError:
        names = []
    if value and names != [_PLACE]:
        raise ValueError("a link is written like https://crm.example.com/incident/{incident}")
    return value


class AlertChannel(BaseModel):
    """One place where people are told, through Apprise. ``to`` stands for its secret URL.

    Incidents below ``from`` go into one message every ``digest``; without one they are not told.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    to: Label
    apprise_url: SecretStr
    from_: Literal["low", "medium", "high", "critical"] = Field(alias="from", default="medium")
    sources: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    digest: Lasting | None = None
    values: Annotated[bool, Field(strict=True)] = False
    link: Annotated[ServiceUrl, AfterValidator(_link)] = ""

    @property
    def unset(self) -> tuple[str, ...]:
        """The environment variables that the URL is taken from and that are not set."""
        return tuple(SET_ASIDE.findall(self.apprise_url.get_secret_value()))


def _each_once(channels: tuple[AlertChannel, ...]) -> tuple[AlertChannel, ...]:
    if len({one.to for one in channels}) < len(channels):
        raise ValueError("two channels have the same name (to)")
    return channels


AlertChannels: TypeAlias = Annotated[tuple[AlertChannel, ...], AfterValidator(_each_once)]


def strange_source(channels: Iterable[AlertChannel], sources: Iterable[str]) -> str:
    """Return which channel names a source that there is not, in words; empty where none does."""
    known = set(sources)
    for no, one in enumerate(channels):
        named = (*one.sources, *(name.partition(":")[0] for name in one.objects if ":" in name))
        for source in named:
            if source not in known:
                return f"alerts.{no}: there is no source {source!r}"
    return ""
