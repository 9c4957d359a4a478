"""The part of the configuration that says what is encrypted, and where the keys are."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from crmtrail.written import SQLITE, AnyPath, StoreUrl

_PLACES: Final = ("path", "variable", "credential", "service", "identity")
_FITTING: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    # What each kind of place may be given, and what it has to be.
    "file": (frozenset({"path"}), frozenset()),
    "env": (frozenset({"variable"}), frozenset({"variable"})),
    "systemd": (frozenset({"credential"}), frozenset({"credential"})),
    "keyring": (frozenset({"service"}), frozenset({"service"})),
    "age": (frozenset({"path", "identity"}), frozenset({"path", "identity"})),
}


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("is the name of an environment variable, like CRM_KEK")
    if value.upper().startswith("CRMTRAIL_"):
        raise ValueError("cannot begin with CRMTRAIL_: such variables override the config")
    return value


def _credential(value: str) -> str:
    if not re.fullmatch(r"(?!\.)[A-Za-z0-9_.-]{1,255}", value):
        raise ValueError("is the name of a systemd credential, like crmtrail-kek")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class KekConfig(_Part):
    """Where the key is that opens the other keys; `snapshot.keys.kek_places` reads it there."""

    from_: Literal["file", "env", "systemd", "keyring", "age"] = Field(alias="from", default="file")
    path: AnyPath | None = None
    variable: Annotated[str, AfterValidator(_variable)] | None = None
    credential: Annotated[str, AfterValidator(_credential)] | None = None
    service: Annotated[str, Field(min_length=1)] | None = None
    identity: AnyPath | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        may, must = _FITTING[self.from_]
        given = {name for name in _PLACES if getattr(self, name) is not None}
        if wrong := sorted(given - may):
            raise ValueError(f"{wrong[0]} does not go with from: {self.from_}")
        if missing := sorted(must - given):
            raise ValueError(f"from: {self.from_} needs {missing[0]}")
        return self

    def placed(self, folder: Path) -> Self:
        """Return the same with its relative paths taken from a folder."""
        at = {"path": self.path, "identity": self.identity}
        paths = {name: folder / path for name, path in at.items() if path is not None}
        return self.model_copy(update=paths)


class KeysConfig(_Part):
    """What is encrypted, and where the keys are kept."""

    url: StoreUrl | None = None
    kek: KekConfig = KekConfig.model_validate({})
    seal: Literal["personal", "all", "none"] = "personal"

    def placed(self, folder: Path) -> Self:
        """Return the same with its relative paths taken from a folder."""
        url = self.url
        if url is not None and url.startswith(SQLITE):
            url = f"{SQLITE}{folder / url.removeprefix(SQLITE)}"
        return self.model_copy(update={"url": url, "kek": self.kek.placed(folder)})


class SubjectConfig(_Part):
    """An object of persons, and its fields that hold their e-mail addresses."""

    email: tuple[str, ...] = ()


class PrivacyConfig(_Part):
    """Whose records are sealed each under a key of its own, by source and object.

    ``keep`` names fields that outlive the erasure of their person, by ``source:object``.
    ``vendor_deletions`` says what happens to a person whom the CRM itself deleted for privacy.
    """

    subjects: dict[str, dict[str, SubjectConfig]] = {}
    keep: dict[str, tuple[str, ...]] = {}
    vendor_deletions: Literal["erase", "report"] = "erase"

    @model_validator(mode="after")
    def _names_objects(self) -> Self:
        for ref in self.keep:
            source, _, object_ = ref.partition(":")
            if not source or not object_ or ":" in object_:
                raise ValueError(f"keep: {ref} is no object; write source:object, like sf:Contact")
        return self

    def strange(self, sources: Mapping[str, object]) -> str:
        """Return what names a source that is none, or nothing."""
        named = {f"privacy.subjects.{name}": name for name in self.subjects}
        named |= {f"privacy.keep.{ref}": ref.partition(":")[0] for ref in self.keep}
        wrong = [f"{key}: there is no source {name}" for key, name in named.items()]
        return next((one for one in wrong if one.rpartition(" ")[2] not in sources), "")
