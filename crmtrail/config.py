"""The configuration: one frozen model, read from YAML and the environment.

Order of strength: environment (``CRMTRAIL_STORE__URL``) over the YAML file. ``${NAME}`` in the
file is replaced by the environment variable NAME. Unknown keys are refused; every mistake is
told at once; secrets never appear in messages.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from crmtrail.errors import Mistake
from crmtrail.written import (
    AnyPath,
    BaseUrl,
    Count,
    Duration,
    Lasting,
    Origin,
    Sentinel,
    Short,
)

_PREFIX = "CRMTRAIL_"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Inside {...} YAML would read the braces of ${NAME} as a mapping, so they are set aside first.
_SET_ASIDE = re.compile(r"·env·([A-Za-z_][A-Za-z0-9_]*)·")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class StoreConfig(_Part):
    """Where the versions are kept."""

    url: str = "sqlite:///crmtrail.db"


class FileAnchor(_Part):
    """Checkpoints are appended to one file, which should lie on another machine."""

    kind: Literal["file"]
    path: AnyPath


class GitAnchor(_Part):
    """Checkpoints are committed into a git repository, and pushed where ``remote`` names one."""

    kind: Literal["git"]
    path: AnyPath
    remote: str = ""


AnchorConfig = FileAnchor | GitAnchor


class LedgerConfig(_Part):
    """Under which name and key checkpoints are signed, and where they are kept outside."""

    origin: Origin = ""
    key_file: AnyPath | None = None
    anchors: tuple[Annotated[AnchorConfig, Field(discriminator="kind")], ...] = ()

    @field_validator("anchors")
    @classmethod
    def _each_once(cls, anchors: tuple[AnchorConfig, ...]) -> tuple[AnchorConfig, ...]:
        if len({(one.kind, one.path) for one in anchors}) < len(anchors):
            raise ValueError("the same anchor is named twice")
        return anchors


class AuthConfig(_Part):
    """How to log in. ``token`` is a bare access token (HubSpot: a private app token)."""

    method: Literal["token"] = "token"
    token: SecretStr


class SourceConfig(_Part):
    """One CRM account."""

    kind: Literal["salesforce", "hubspot"]
    base_url: BaseUrl
    api_version: str = ""
    auth: AuthConfig
    restore_auth: AuthConfig | None = None
    objects: Literal["*"] | tuple[str, ...] = "*"
    exclude: tuple[str, ...] = ()
    every: Lasting | None = None
    overlap: Duration = timedelta(minutes=10)
    timeout: Lasting = timedelta(seconds=120)
    client_id: str = "crmtrail"


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


class RulesConfig(_Part):
    """What is noticed. ``burst`` is the longest pause inside one operation."""

    burst: Short = timedelta(minutes=10)
    blanking: BlankingConfig = BlankingConfig()
    mass_update: MassUpdateConfig = MassUpdateConfig()


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
    sources: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], SourceConfig] = {}
    scheduler: SchedulerConfig = SchedulerConfig()
    retry: RetryConfig = RetryConfig()
    budget: BudgetConfig = BudgetConfig()
    rules: RulesConfig = RulesConfig()
    restore: RestoreConfig = RestoreConfig()

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
    try:
        raw = yaml.safe_load(_VARIABLE.sub(r"·env·\1·", text)) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise Mistake(f"the config is not valid YAML{where}") from None
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise Mistake("the config must be a mapping of keys; see config.example.yaml")
    missing: list[str] = _strange(environ)
    filled = _fill(raw, environ, (), missing)
    try:
        config = Config(**filled)
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


def variables(text: str) -> list[str]:
    """Return the environment variables that a configuration text names."""
    return sorted(set(_VARIABLE.findall(text)))


def load(path: Path) -> Config:
    """Read a configuration file, with the process's environment.

    Raises:
        Mistake: the file is missing or wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Mistake(
            f"there is no config at {path}",
            hint="write one with `crmtrail init`, or name it with --config",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"the config at {path} cannot be read: {error}") from None
    return parse(text, os.environ)


def _refusal(problems: list[str]) -> Mistake:
    count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return Mistake(
        f"the config has {count}: " + "; ".join(problems),
        hint="config.example.yaml lists every key with its meaning",
    )


def _plain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "config"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not a known key"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def _fill(
    value: Any, environ: Mapping[str, str], where: tuple[str, ...], missing: list[str]
) -> Any:
    """Replace ``${NAME}`` in every text, and note the names that are not set."""
    if isinstance(value, dict):
        return {k: _fill(v, environ, (*where, str(k)), missing) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill(v, environ, (*where, str(i)), missing) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[1] not in environ:
            missing.append(f"{'.'.join(where)}: the environment variable {match[1]} is not set")
        return environ.get(match[1], "")

    return _SET_ASIDE.sub(replace, value)
