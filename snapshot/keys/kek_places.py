"""The places where a key-encryption key may live: a file, the environment, systemd and others."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Never

from crmtrail.errors import Mistake
from crmtrail.keys_config import KekConfig
from snapshot import secret_file
from snapshot.keys.kek import KekSource

_WHAT: Final = "the key-encryption key"
_ACCOUNT: Final = "kek"
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"


def kek_source(settings: KekConfig, beside: Path | None, environ: Mapping[str, str]) -> KekSource:
    """Return the place that the config names.

    Args:
        settings: ``keys.kek`` of the config, which has seen that the keys fit together.
        beside: the file of the key store, if it is one; without a path the KEK lies beside it.
        environ: the environment.

    Raises:
        Mistake: the config has to give a path.
    """
    match settings.from_:
        case "file":
            return in_file(settings.path or _path(beside))
        case "env":
            return in_environment(settings.variable or "", environ)
        case "systemd":
            return in_credential(settings.credential or "", environ)
        case "keyring":
            return in_keyring(settings.service or "")
        case _:
            return in_age(settings.path or Path(), settings.identity or Path())


def _path(beside: Path | None) -> Path:
    if beside is None:
        raise Mistake(
            "keys.kek.path has to be given, for the key store is on a server",
            hint="name a file on this machine, or another place for the key-encryption key",
        )
    return beside.with_suffix(".kek")


def in_file(path: Path) -> KekSource:
    """Return a file for its owner alone; it is made on first use."""

    def text() -> str | None:
        if not path.exists():
            return None
        return _decoded(secret_file.read_private(path, _WHAT))

    def put(text: str, first: bool) -> None:  # noqa: FBT001 -- the signature of KekSource.put
        write = secret_file.write_first if first else secret_file.replace
        write(path, text, _WHAT)

    return KekSource(f"the file {path}", text, put)


def in_environment(variable: str, environ: Mapping[str, str]) -> KekSource:
    """Return an environment variable."""
    return KekSource(
        f"the environment variable {variable}", lambda: environ.get(variable, "").strip() or None
    )


def in_credential(credential: str, environ: Mapping[str, str]) -> KekSource:
    """Return a credential that systemd gives the service (LoadCredential=, systemd.exec(5))."""

    def text() -> str | None:
        folder = environ.get(_CREDENTIALS)
        if not folder:
            raise Mistake(
                f"keys.kek is a systemd credential, but {_CREDENTIALS} is not set",
                hint=f"start crmtrail as a service with LoadCredentialEncrypted={credential}",
            )
        return _read(Path(folder) / credential)

    return KekSource(f"the systemd credential {credential}", text)


def in_keyring(service: str) -> KekSource:
    """Return an entry of the operating system's keyring, under the account ``kek``."""

    def text() -> str | None:
        library = _library("keyring")
        try:
            found = library.get_password(service, _ACCOUNT)
        except library.errors.KeyringError as error:
            _unreachable(error)
        return found or None

    def put(text: str, first: bool) -> None:  # noqa: FBT001 -- the signature of KekSource.put
        del first  # a keyring cannot tell; whoever was slower reads what is there
        library = _library("keyring")
        try:
            library.set_password(service, _ACCOUNT, text)
        except library.errors.KeyringError as error:
            _unreachable(error)

    return KekSource(f"the system keyring's entry {service}", text, put)


def in_age(path: Path, identity: Path) -> KekSource:
    """Return a file encrypted with age (https://c2sp.org/age), and the identity that opens it."""

    def text() -> str | None:
        sealed = _bytes(path)
        if sealed is None:
            return None
        pyrage = _library("pyrage", "age")
        kept = secret_file.read_private(identity, "the age identity")
        try:
            return _decoded(pyrage.decrypt(sealed, _identities(pyrage, kept)))
        except (pyrage.IdentityError, pyrage.DecryptError) as error:
            why = "holds no age identity" if isinstance(error, pyrage.IdentityError) else "fails"
            raise Mistake(
                f"the identity {identity} does not open {path}: it {why}",
                hint="keys.kek.identity has to be the identity that the file was encrypted to",
            ) from None

    return KekSource(f"the age file {path}", text)


def _identities(pyrage: Any, kept: bytes) -> list[Any]:
    """Read an identity file: X25519 identities, one a line, or an SSH key."""
    if kept.lstrip().startswith(b"-----BEGIN"):
        return [pyrage.ssh.Identity.from_buffer(kept)]
    lines = [line.strip() for line in _decoded(kept).splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    return [pyrage.x25519.Identity.from_str(line) for line in wanted]


def _library(name: str, extra: str | None = None) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise Mistake(
            f"keys.kek needs the package {name}, which is not installed",
            hint=f"install crmtrail[{extra or name}]",
        ) from None


def _unreachable(error: Exception) -> Never:
    raise Mistake(
        f"the system keyring cannot be used: {type(error).__name__}",
        hint="services have none as a rule: take keys.kek from file, env or systemd",
    ) from None


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Mistake(f"{_WHAT} {path} cannot be read: {error.strerror}") from error


def _read(path: Path) -> str | None:
    found = _bytes(path)
    return None if found is None else _decoded(found)


def _decoded(found: bytes) -> str:
    """Return text; what is none is no base64 either, and told as such."""
    return found.decode("ascii", "replace")
