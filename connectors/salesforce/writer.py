"""What every writing request carries: the headers of a restore, and values as exact text."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec

from connectors.salesforce.answers import Refusal
from connectors.salesforce.client import Client
from connectors.salesforce.ids import to18
from crmtrail.model import Ref, Token, Write

T = TypeVar("T")

DuplicateRules: TypeAlias = Literal["allow", "block"]
"""Whether a write goes through although a duplicate rule of the org warns of it."""

_MRU: Final = "Sforce-Mru"
_ALLOW_SAVE: Final[Mapping[DuplicateRules, str]] = MappingProxyType(
    {"allow": "true", "block": "false"}
)


class Writer:
    """Sends writing requests of one identity, each with the headers that a restore needs.

    ``duplicate_rules`` says what a duplicate rule that allows saving may do: ``allow`` saves all
    the same, ``block`` lets the rule refuse the record.
    """

    def __init__(self, client: Client, duplicate_rules: DuplicateRules = "allow") -> None:
        self.client = client
        self._headers = {
            # Without it, Salesforce runs the active assignment rules and hands leads and cases on.
            "Sforce-Auto-Assign": "FALSE",
            "Sforce-Duplicate-Rule-Header": f"allowSave={_ALLOW_SAVE[duplicate_rules]}",
            # A restore is no visit: the identity's list of recent items stays as it is.
            _MRU: "updateMru=false",
        }

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the next writing request."""
        return dict(self._headers)

    @property
    def root(self) -> str:
        """The path of this API version on its host, for the addresses of subrequests."""
        return urlsplit(self.client.base_url).path

    def send(
        self,
        method: str,
        path: str,
        shape: type[T],
        body: bytes = b"",
        *,
        params: Mapping[str, str] | None = None,
    ) -> T:
        """Send a writing request.

        Raises:
            Unavailable: nothing was sent.
            Ambiguous: it was sent, and there is no word on what became of it.
            Refusal: nothing of it was carried out.
        """
        try:
            return self._sent(method, path, shape, body, params)
        except Refusal as refusal:
            if not self.forgoes(refusal.told):
                raise
        return self._sent(method, path, shape, body, params)

    def forgoes(self, told: str) -> bool:
        """Leave the header for recent items out from now on, if it is what was refused.

        Its spelling is not confirmed by the vendor's documentation. False: it was not that.
        """
        return "mru" in told.lower() and self._headers.pop(_MRU, None) is not None

    def _sent(
        self, method: str, path: str, shape: type[T], body: bytes, params: Mapping[str, str] | None
    ) -> T:
        return self.client.send(
            method, path, shape, body, headers=self.headers, params=params, writing=True
        )


def record_id(ref: Ref) -> str:
    """Return a record's id in its 18 characters.

    Raises:
        ValueError: it is no id of Salesforce.
    """
    if (id_ := to18(ref.id)) is None:
        raise ValueError(f"{ref} is no Salesforce record")
    return id_


def raw(token: Token) -> msgspec.Raw:
    """Return a token as it goes into a body, exactly as it is spelled.

    Raises:
        ValueError: the token is no JSON text; it would break the whole request.
    """
    msgspec.json.decode(token)
    return msgspec.Raw(token.encode())


def values(write: Write) -> dict[str, msgspec.Raw]:
    """Return the fields of a write as they go into a body."""
    return {name: raw(token) for name, token in write.fields.items()}
