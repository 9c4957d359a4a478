"""The part of the configuration that names places outside for checkpoints, one model a kind."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from crmtrail.written import (
    SET_ASIDE,
    AnyPath,
    Bucket,
    Count,
    Hourly,
    KeyPrefix,
    Label,
    Lasting,
    RecordName,
    ServiceUrl,
)


class _Anchor(BaseModel):
    """A place for checkpoints. One with ``every`` is sent none before so long after the last."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    every: Lasting | None = None

    def placed(self, folder: Path) -> Self:
        """Return the same with its relative paths taken from a folder."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        paths = {name: folder / one for name, one in given.items() if isinstance(one, Path)}
        return self.model_copy(update=paths)


class FileAnchor(_Anchor):
    """Checkpoints are appended to one file, which should lie on another machine."""

    kind: Literal["file"]
    path: AnyPath

    @property
    def name(self) -> str:
        """The place, in one line."""
        return f"file:{self.path}"


class GitAnchor(_Anchor):
    """Checkpoints are committed into a git repository, and pushed where ``remote`` names one."""

    kind: Literal["git"]
    path: AnyPath
    remote: str = ""

    @property
    def name(self) -> str:
        """The place, in one line."""
        return f"git:{self.path}"


class MessageAnchor(_Anchor):
    """Checkpoints are sent to people through Apprise, whose URL is secret; ``to`` stands for it."""

    kind: Literal["message"]
    to: Label
    apprise_url: SecretStr
    every: Lasting | None = timedelta(days=1)

    @property
    def name(self) -> str:
        """The place, in one line."""
        return f"message:{self.to}"

    @property
    def unset(self) -> tuple[str, ...]:
        """The environment variables that the URL is taken from and that are not set."""
        return tuple(SET_ASIDE.findall(self.apprise_url.get_secret_value()))


class S3Anchor(_Anchor):
    """Checkpoints are objects of a bucket with Object Lock; nobody deletes them in time."""

    kind: Literal["s3"]
    bucket: Bucket
    prefix: KeyPrefix = "crmtrail"
    retain_days: Annotated[Count, Field(ge=1, le=36_500)] = 3_650
    endpoint_url: ServiceUrl = ""
    region: str = ""

    @property
    def name(self) -> str:
        """The place, in one line."""
        return f"s3:{self.bucket}/{self.prefix}"


class TimestampAnchor(_Anchor):
    """Checkpoints are time-stamped by an authority; its tokens are kept in ``folder``."""

    kind: Literal["timestamp"]
    url: ServiceUrl
    folder: AnyPath
    ca_file: AnyPath

    @property
    def name(self) -> str:
        """The place, in one line."""
        return f"timestamp:{self.folder}"

    @field_validator("url")
    @classmethod
    def _named(cls, url: str) -> str:
        if not url:
            raise ValueError("name the authority, like https://timestamp.example.com")
        return url


class CrmAnchor(_Anchor):
    """The newest checkpoint is written into one text field of one record of a CRM.

    Every write is an edit of the record, which the next sync reads: hence an hour at least.
    """

    kind: Literal["crm"]
    source: str
    record: RecordName
    field: str
    every: Hourly = timedelta(days=1)

    @property
    def name(self) -> str:
        """The place, in one line."""
        return f"crm:{self.record}.{self.field}"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.record.startswith(f"{self.source}:"):
            raise ValueError(f"the record has to be one of {self.source}: {self.source}:object:id")
        return self


AnchorConfig: TypeAlias = (
    FileAnchor | GitAnchor | MessageAnchor | S3Anchor | TimestampAnchor | CrmAnchor
)
