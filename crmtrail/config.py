"""The configuration: one frozen model, read from YAML and the environment.

Order of strength: environment (``CRMTRAIL_STORE__URL``) over the YAML file. ``${NAME}`` in the
file is replaced by the environment variable NAME; one that is not set is a mistake, but for the
token of a source and the URL of a message anchor, which are asked for when those are. Unknown keys
are refused; every mistake is told at once; secrets never appear in messages.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from crmtrail.alerts_config import AlertChannels, strange_source
from crmtrail.anchor_config import AnchorConfig, CrmAnchor
from crmtrail.auth_config import METHODS, SECRETS, Auth, AuthConfig, WrittenAuth
from crmtrail.errors import Mistake
from crmtrail.filling import filled
from crmtrail.hooks_config import WebhooksConfig
from crmtrail.keys_config import KeysConfig, PrivacyConfig
from crmtrail.placing import placed
from crmtrail.retention_config import RetentionRule
from crmtrail.source_faults import source_fault
from crmtrail.written import (
    AnyPath,
    BaseUrl,
    Count,
    Duration,
    Lasting,
    Origin,
    Sentinel,
    Short,
    StoreUrl,
)
from crmtrail.yaml_reading import read_yaml

__all__ = ["Auth", "AuthConfig", "Config", "SourceConfig", "holds_tokens", "load", "parse"]

_PREFIX = "CRMTRAIL_"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class StoreConfig(_Part):
    """Where the versions are kept."""

    url: StoreUrl = "sqlite:///crmtrail.db"


class LedgerConfig(_Part):
    """Under which name and key checkpoints are signed, and where they are kept outside."""

    origin: Origin = ""
    key_file: AnyPath | None = None
    anchors: tuple[Annotated[AnchorConfig, Field(discriminator="kind")], ...] = ()

    @field_validator("anchors")
    @classmethod
    def _each_once(cls, anchors: tuple[AnchorConfig, ...]) -> tuple[AnchorConfig, ...]:
        if len({one.name for one in anchors}) < len(anchors):
            raise ValueError("the same anchor is named twice")
        return anchors


class SourceConfig(_Part):
    """One CRM account."""

    kind: Literal["salesforce", "hubspot"]
    base_url: BaseUrl
    api_version: str = ""
    api_versions: dict[str, str] = {}
    write_api_version: str = ""
    auth: WrittenAuth
    restore_auth: WrittenAuth | None = None
    objects: Literal["*"] | tuple[str, ...] = "*"
    exclude: tuple[str, ...] = ()
    every: Lasting | None = None
    reconcile: Lasting | None = timedelta(days=1)
    refresh: Lasting | None = timedelta(days=7)
    overlap: Duration = timedelta(minutes=10)
    bulk_above: Annotated[Count, Field(ge=0)] = 20_000
    history_months: Annotated[Count, Field(ge=0, le=120)] = 24
    timeout: Lasting = timedelta(seconds=120)
    client_id: str = "crmtrail"
    duplicate_rules: Literal["allow", "block"] = "allow"
    sensitive: bool = False
    webhooks: WebhooksConfig | None = None

    @property
    def everything(self) -> bool:
        """Whether all objects are kept that the token can read, whatever is named besides."""
        return "*" in self.objects

    @property
    def named(self) -> tuple[str, ...]:
        """The objects and groups that are named one by one."""
        return () if self.objects == "*" else tuple(one for one in self.objects if one != "*")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.exclude and not self.everything:
            raise ValueError('exclude goes with objects: "*" only; take the names out of objects')
        if fault := source_fault(self):
            raise ValueError(fault)
        return self


class SchedulerConfig(_Part):
    """How ``crmtrail serve`` runs the syncs."""

    every: Lasting = timedelta(minutes=5)
    jitter: Duration = timedelta(seconds=20)
    misfire_grace: Duration = timedelta(minutes=2)
    workers: Annotated[Count, Field(ge=1, le=64)] = 4
    lease: Lasting = timedelta(seconds=60)


class RetryConfig(_Part):
    """How long to bear with a vendor that is throttling or down."""

    attempts: Annotated[Count, Field(ge=1, le=20)] = 6
    longest_wait: Duration = timedelta(seconds=60)


class BudgetConfig(_Part):
    """How much of the vendor's API quota is left to others, in percent."""

    leave_free: Annotated[Count, Field(ge=0, le=100)] = 20
    reserve_for_restores: Annotated[Count, Field(ge=0, le=100)] = 5

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.leave_free + self.reserve_for_restores > 100:  # noqa: PLR2004 -- percent
            raise ValueError("leave_free and reserve_for_restores are more than 100 % together")
        return self


class BlankingConfig(_Part):
    """When values turned to nothing make an incident."""

    enabled: bool = True
    min_records: Annotated[Count, Field(ge=1)] = 10
    sentinels: tuple[Sentinel, ...] = (
        "unknown",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "nan",
        "undefined",
        "-",
        "--",
        "?",
        "test@test.com",
    )
    ignore_fields: tuple[str, ...] = ()


class MassUpdateConfig(_Part):
    """When one actor changing many records makes an incident."""

    enabled: bool = True
    min_records: Annotated[Count, Field(ge=1)] = 50
    same_value_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    any_value_records: Annotated[Count, Field(ge=1)] = 500
    ignore_fields: tuple[str, ...] = ()


class WholeRecordsConfig(_Part):
    """When one actor deleting, merging or creating many records makes an incident."""

    enabled: bool = True
    min_records: Annotated[Count, Field(ge=1)] = 50


class RulesConfig(_Part):
    """What is noticed. ``burst`` is the longest pause inside one operation."""

    burst: Short = timedelta(minutes=10)
    blanking: BlankingConfig = BlankingConfig()
    mass_update: MassUpdateConfig = MassUpdateConfig()
    mass_delete: WholeRecordsConfig = WholeRecordsConfig()
    mass_merge: WholeRecordsConfig = WholeRecordsConfig()
    mass_create: WholeRecordsConfig = WholeRecordsConfig(min_records=1_000)


class RestoreConfig(_Part):
    """How plans are made and applied."""

    expires: Lasting = timedelta(hours=24)
    four_eyes_above: Annotated[Count, Field(ge=0)] | None = None
    canary: Annotated[Count, Field(ge=0)] = 10
    stop_at_failed_share: Annotated[float, Field(ge=0, le=1)] = 0.2


class Config(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    user: str = ""
    store: StoreConfig = StoreConfig()
    ledger: LedgerConfig = LedgerConfig()
    keys: KeysConfig = KeysConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    retention: tuple[RetentionRule, ...] = ()
    sources: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], SourceConfig] = {}
    scheduler: SchedulerConfig = SchedulerConfig()
    retry: RetryConfig = RetryConfig()
    budget: BudgetConfig = BudgetConfig()
    rules: RulesConfig = RulesConfig()
    alerts: AlertChannels = ()
    restore: RestoreConfig = RestoreConfig()

    @model_validator(mode="after")
    def _anchors_have_sources(self) -> Self:
        for one in self.ledger.anchors:
            if isinstance(one, CrmAnchor) and one.source not in self.sources:
                raise ValueError(f"ledger.anchors: there is no source {one.source!r}")
        return self

    @model_validator(mode="after")
    def _retention_has_sources(self) -> Self:
        for no, rule in enumerate(self.retention):
            if rule.source not in self.sources:
                raise ValueError(f"retention.{no}: there is no source {rule.source}")
        if len({str(rule) for rule in self.retention}) < len(self.retention):
            raise ValueError("retention: the same rule is there twice")
        return self

    @model_validator(mode="after")
    def _listens_once(self) -> Self:
        places = [one.webhooks.address for one in self.sources.values() if one.webhooks]
        if len(set(places)) < len(places):
            raise ValueError("sources: two of them listen for webhooks on the same port")
        return self

    @model_validator(mode="after")
    def _privacy_has_sources(self) -> Self:
        if fault := self.privacy.strange(self.sources) or strange_source(self.alerts, self.sources):
            raise ValueError(fault)
        return self

    def rules_beside_anchors(self) -> RulesConfig:
        """Return the rules, blind to the fields that we write checkpoints into ourselves."""
        ours = tuple(one.field for one in self.ledger.anchors if isinstance(one, CrmAnchor))
        blanking, mass = self.rules.blanking, self.rules.mass_update
        blind = {
            "blanking": blanking.model_copy(
                update={"ignore_fields": (*blanking.ignore_fields, *ours)}
            ),
            "mass_update": mass.model_copy(update={"ignore_fields": (*mass.ignore_fields, *ours)}),
        }
        return self.rules.model_copy(update=blind)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file's values, which come in as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def parse(text: str, environ: Mapping[str, str]) -> Config:
    """Read a configuration from YAML text.

    Raises:
        Mistake: the text is no YAML mapping, names an unset variable, or breaks the model; the
            message lists every mistake.
    """
    raw = read_yaml(_VARIABLE.sub(r"·env·\1·", text)) or {}
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise Mistake("the config must be a mapping of keys; see config.example.yaml")
    missing: list[str] = _strange(environ)
    given = filled(raw, environ, (), missing)
    try:
        config = Config(**given)
    except ValidationError as error:
        problems = [_plain(problem) for problem in error.errors(include_input=False)]
        raise _refusal(missing + problems) from None
    except SettingsError as error:
        named = str(error).partition('"')[2].partition('"')[0]
        variable = f"the environment variable {_PREFIX}{named.upper()} or one below it"
        raise _refusal([*missing, f"{variable} is not valid JSON"]) from None
    if missing:
        raise _refusal(missing)
    return config


def _strange(environ: Mapping[str, str]) -> list[str]:
    """Say which variables look like ours and are not: a misspelt one would be passed over."""
    known = {_PREFIX + name.upper() for name in (*Config.model_fields, "config")}
    ours = [name for name in environ if name.upper().startswith(_PREFIX)]
    return [
        f"the environment variable {name} is no known key"
        for name in ours
        if name.upper().partition("__")[0] not in known
    ]


def load(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file, with the process's environment unless another is given.

    Relative paths, wherever they are set, are taken from the folder of the file.

    Raises:
        Mistake: the file is missing or wrong.
    """
    config = parse(_text(path), os.environ if environ is None else environ)
    return placed(config, path.absolute().parent)


def holds_tokens(path: Path) -> bool:
    """Return whether the token of a source is written out in a configuration file.

    Raises:
        Mistake: the file cannot be read, or is no YAML.
    """
    raw = read_yaml(_VARIABLE.sub("", _text(path)))
    sources = raw.get("sources") if isinstance(raw, dict) else None
    each = sources.values() if isinstance(sources, dict) else ()
    keys = ("auth", "restore_auth", "webhooks")
    auths = [one.get(key) for one in each if isinstance(one, dict) for key in keys]
    return any(isinstance(auth, dict) and any(map(auth.get, SECRETS)) for auth in auths)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Mistake(
            f"there is no config at {path}",
            hint="write one with `crmtrail init`, or name it with --config",
        ) from None
    except UnicodeDecodeError as error:
        why = f"byte {error.start + 1} is not UTF-8"
        raise Mistake(
            f"the config at {path} cannot be read: {why}", hint="save it as UTF-8"
        ) from None
    except OSError as error:
        raise Mistake(f"the config at {path} cannot be read: {error.strerror}") from None


def _refusal(problems: list[str]) -> Mistake:
    count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return Mistake(
        f"the config has {count}: " + "; ".join(problems),
        hint="config.example.yaml lists every key with its meaning",
    )


def _plain(problem: Any) -> str:
    where = ".".join(_keys(problem["loc"])) or "config"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a known key"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def _keys(loc: tuple[Any, ...]) -> list[str]:
    """Return where a mistake is as keys of the file; pydantic names the method of `auth` too."""
    keys = [str(part) for part in loc]
    if keys[2:3] in (["auth"], ["restore_auth"]) and keys[3:4] and keys[3] in METHODS:
        # A secret's name may be a method's: the method comes first.
        del keys[3]
    return keys
