"""How to log in to a CRM: one shape for each method, told apart by ``method``.

Any text of these may come from the environment as ``${NAME}``; a variable that is not set is asked
for only when that CRM is, so that looking at the store needs none.
"""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, SecretStr, Tag, model_validator

from crmtrail.written import SET_ASIDE, AnyPath, BaseUrl

METHODS: Final = ("token", "jwt", "client_credentials", "refresh_token")
SECRETS: Final = frozenset({"token", "client_secret", "refresh_token", "private_key"})
"""The keys whose values are secrets."""
KEYS: Final = SECRETS | {"client_id", "username", "key_file", "audience", "refresh_token_file"}
"""The keys that may name an environment variable which is not set yet."""


class _Auth(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @property
    def missing(self) -> tuple[tuple[str, str], ...]:
        """The keys that are taken from environment variables not set, and these variables."""
        return tuple(
            (name, variable)
            for name in type(self).model_fields
            for variable in SET_ASIDE.findall(_plain(getattr(self, name)))
        )

    @property
    def unset(self) -> tuple[str, ...]:
        """The environment variables that are not set."""
        return tuple(dict.fromkeys(variable for _, variable in self.missing))

    def placed(self, folder: Path) -> Self:
        """Return the same with paths that begin at a folder."""
        del folder
        return self


class AuthConfig(_Auth):
    """A bare access token (HubSpot: a private app token); Salesforce ends it after some hours."""

    method: Literal["token"] = "token"
    token: SecretStr


class JwtAuth(_Auth):
    """Salesforce: a signed assertion, without any password or browser.

    ``client_id`` is the app's consumer key, ``key_file`` the PEM file of the private key whose
    certificate the app has; ``private_key`` is the PEM text instead. ``audience`` empty: chosen
    from base_url.
    """

    method: Literal["jwt"]
    client_id: str
    username: str
    key_file: AnyPath | None = None
    private_key: SecretStr | None = None
    audience: Literal[""] | BaseUrl = ""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.key_file is None) == (self.private_key is None):
            raise ValueError("method jwt needs one of key_file and private_key")
        return self

    def placed(self, folder: Path) -> Self:
        """Return the same with the key's path beginning at a folder."""
        return self.model_copy(update={"key_file": _beside(folder, self.key_file)})


class ClientCredentialsAuth(_Auth):
    """Salesforce: the app logs in as the user whom its policies name as "Run As"."""

    method: Literal["client_credentials"]
    client_id: str
    client_secret: SecretStr


class RefreshTokenAuth(_Auth):
    """Salesforce: a refresh token of the web server flow, made once with a browser.

    ``refresh_token_file`` is where a new one is kept that the vendor hands out for a used one; what
    it holds counts before ``refresh_token``.
    """

    method: Literal["refresh_token"]
    client_id: str
    client_secret: SecretStr | None = None
    refresh_token: SecretStr
    refresh_token_file: AnyPath | None = None

    def placed(self, folder: Path) -> Self:
        """Return the same with the file's path beginning at a folder."""
        placed = _beside(folder, self.refresh_token_file)
        return self.model_copy(update={"refresh_token_file": placed})


def _beside(folder: Path, path: Path | None) -> Path | None:
    """Return where a path of the config leads; a variable that is not set yet stays as it is."""
    return path if path is None or SET_ASIDE.search(str(path)) else folder / path


def _plain(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def _method(value: Any) -> object:
    if isinstance(value, dict):
        return value.get("method", "token")
    return getattr(value, "method", None)


Auth: TypeAlias = AuthConfig | JwtAuth | ClientCredentialsAuth | RefreshTokenAuth
"""How to log in."""


def shared_file_fault(auth: Auth, restore_auth: Auth | None) -> str:
    """Return what is wrong where two identities keep their refresh tokens in one file."""
    files = [getattr(one, "refresh_token_file", None) for one in (auth, restore_auth)]
    if files[0] is None or files[0] != files[1] or auth == restore_auth:
        return ""
    return "auth and restore_auth need a refresh_token_file each"


WrittenAuth: TypeAlias = Annotated[
    Annotated[AuthConfig, Tag("token")]
    | Annotated[JwtAuth, Tag("jwt")]
    | Annotated[ClientCredentialsAuth, Tag("client_credentials")]
    | Annotated[RefreshTokenAuth, Tag("refresh_token")],
    Discriminator(
        _method,
        custom_error_type="auth_method",
        custom_error_message="method is token, jwt, client_credentials or refresh_token",
    ),
]
"""The same as it is read from a config."""
