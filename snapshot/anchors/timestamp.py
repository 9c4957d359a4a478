"""Anchor in time: an authority of RFC 3161 signs that a checkpoint was there at a moment.

The authority keeps nothing. Its token is kept beside the checkpoint in a folder, ``<size>.note``
and ``<size>.tsr``, and anybody can check the pair::

    openssl ts -verify -in SIZE.tsr -data SIZE.note -CAfile ca.pem
"""

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import requests
import tenacity
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from crmtrail.anchor_config import TimestampAnchor
from crmtrail.errors import AnchorFailed, VerifyFailed
from snapshot.anchors.git import file_of
from snapshot.anchors.sink import Means, lacking
from snapshot.proofs import head_of

if TYPE_CHECKING:
    from rfc3161_client import TimeStampRequest, TimeStampResponse, Verifier

_NAME: Final = re.compile(r"\d{20}\.note")
_TIMEOUT_S: Final = (10.0, 30.0)
_ATTEMPTS: Final = 3
_MOST_BYTES: Final = 1_000_000
_TYPE: Final = "application/timestamp-query"
_OK: Final = 200
_BROKEN: Final = 500


class TimestampSink:
    """`snapshot.anchors.sink.Sink` over one authority and the folder with its tokens.

    ``ca_file`` holds, in PEM, the root that is trusted, and what lies between it and the signer.
    If the authority's own certificate is in it too, none is asked for with the token.
    """

    readable = True

    def __init__(
        self,
        settings: TimestampAnchor,
        means: Means,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        del means
        self._settings = settings
        self._sleep = sleep
        self.name = settings.name

    def newest(self, origin: str) -> str | None:
        """Return the checkpoint of the most entries in the folder.

        Raises:
            AnchorFailed: the folder cannot be read.
        """
        paths = self._paths(origin)
        return _read(paths[-1]).decode(errors="replace") if paths else None

    def held(self, origin: str) -> Iterator[str]:
        """Yield every checkpoint whose token holds, by size.

        Raises:
            VerifyFailed: a token is not over its checkpoint, or not by the authority.
            AnchorFailed: the folder, a token or the certificates cannot be read.
        """
        for path in self._paths(origin):
            note = _read(path)
            token = self._decoded(_read(path.with_suffix(".tsr")))
            if token is None or not self._holds(token, note, None):
                raise VerifyFailed(f"the time stamp of {path} does not hold")
            yield note.decode(errors="replace")

    def send(self, note: str, origin: str) -> None:
        """Have a checkpoint stamped, and keep it with its token. Durable on return.

        Raises:
            AnchorFailed: the authority did not answer, refused, or its token does not hold; or
                the token cannot be kept.
        """
        path = self._folder(origin) / f"{head_of(note).size:020d}.note"
        body = note.encode()
        if path.exists() and path.with_suffix(".tsr").exists() and _read(path) == body:
            return
        self._check_folder()
        request = self._request(body)
        answer = self._asked(request.as_bytes())
        token = self._decoded(answer)
        if token is None:
            raise AnchorFailed(
                f"the answer of {self._settings.url} is no time stamp that can be read",
                hint="put the authority's own certificate into ca_file, too: then it sends none",
            )
        if not self._holds(token, body, request):
            raise AnchorFailed(
                f"the time stamp of {self._settings.url} does not hold: {_status(token)}",
                hint=f"is the authority's root in {self._settings.ca_file}?",
            )
        self._keep(path, body, answer)

    # --- the authority -----------------------------------------------------------------------

    def _request(self, body: bytes) -> "TimeStampRequest":
        try:
            from rfc3161_client import TimestampRequestBuilder  # noqa: PLC0415 -- optional
            from rfc3161_client.base import HashAlgorithm  # noqa: PLC0415 -- as above
        except ImportError:
            raise lacking("rfc3161-client", "timestamp") from None
        builder = TimestampRequestBuilder().data(body).hash_algorithm(HashAlgorithm.SHA256)
        return builder.cert_request(cert_request=not self._signers).build()

    def _asked(self, query: bytes) -> bytes:
        """Send a request; what may pass is tried again.

        Raises:
            AnchorFailed: there was no answer, or another one than 200.
        """
        patience = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Passing),
            wait=tenacity.wait_exponential_jitter(initial=1, max=10),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            sleep=self._sleep,
            reraise=True,
        )
        return patience(self._post, query)

    def _post(self, query: bytes) -> bytes:
        url = self._settings.url
        try:
            with requests.post(
                url, query, headers={"Content-Type": _TYPE}, timeout=_TIMEOUT_S, stream=True
            ) as answer:
                if answer.status_code >= _BROKEN:
                    raise _Passing(f"{url} answered {answer.status_code}")
                if answer.status_code != _OK:
                    raise AnchorFailed(f"{url} answered {answer.status_code}")
                return answer.raw.read(_MOST_BYTES, decode_content=True)
        except requests.RequestException as error:
            raise _Passing(f"{url} does not answer: {type(error).__name__}") from None

    # --- tokens ------------------------------------------------------------------------------

    def _decoded(self, answer: bytes) -> "TimeStampResponse | None":
        try:
            from rfc3161_client import decode_timestamp_response  # noqa: PLC0415 -- optional
        except ImportError:
            raise lacking("rfc3161-client", "timestamp") from None
        try:
            return decode_timestamp_response(answer)
        except ValueError:
            return None

    def _holds(
        self, token: "TimeStampResponse", body: bytes, request: "TimeStampRequest | None"
    ) -> bool:
        """Return whether a token is over these bytes and leads to the root that is trusted."""
        from rfc3161_client import VerificationError  # noqa: PLC0415 -- optional

        nonce = None if request is None else request.nonce
        for verifier in self._verifiers(nonce):
            try:
                return verifier.verify_message(token, body)
            except (VerificationError, ValueError):
                continue  # by another of the authority's certificates, perhaps
        return False

    def _verifiers(self, nonce: int | None) -> "Iterator[Verifier]":
        """Yield what tokens are checked with: one for each signer known, or one for all."""
        from rfc3161_client import VerifierBuilder  # noqa: PLC0415 -- optional

        roots = [one for one in self._certificates if one.issuer == one.subject]
        between = [one for one in self._certificates if one not in (*roots, *self._signers)]
        for signer in self._signers or (None,):
            yield VerifierBuilder(
                roots=roots, intermediates=between, tsa_certificate=signer, nonce=nonce
            ).build()

    @cached_property
    def _certificates(self) -> tuple[x509.Certificate, ...]:
        path = self._settings.ca_file
        try:
            found = tuple(x509.load_pem_x509_certificates(_read(path)))
        except ValueError:
            raise AnchorFailed(f"{path} holds no certificates in PEM") from None
        if not any(one.issuer == one.subject for one in found):
            raise AnchorFailed(f"{path} holds no root certificate")
        return found

    @cached_property
    def _signers(self) -> tuple[x509.Certificate, ...]:
        return tuple(one for one in self._certificates if _stamps_time(one))

    # --- the folder --------------------------------------------------------------------------

    def _folder(self, origin: str) -> Path:
        return self._settings.folder / file_of(origin)

    def _paths(self, origin: str) -> list[Path]:
        self._check_folder()
        folder = self._folder(origin)
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        return [path for path in paths if _NAME.fullmatch(path.name)]

    def _check_folder(self) -> None:
        if not self._settings.folder.is_dir():
            raise AnchorFailed(f"the folder {self._settings.folder} is not there; is it mounted?")

    def _keep(self, path: Path, body: bytes, answer: bytes) -> None:
        """Write the token, then the checkpoint: a checkpoint in the folder has its token."""
        try:
            path.parent.mkdir(exist_ok=True)
            for place, content in ((path.with_suffix(".tsr"), answer), (path, body)):
                _write(place, content)
            for folder in (path.parent, path.parent.parent):
                _sync_folder(folder)
        except OSError as error:
            raise AnchorFailed(f"{path} cannot be written: {error.strerror}") from None


class _Passing(AnchorFailed):
    """What may be over at the next try."""


def _stamps_time(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.TIME_STAMPING in usage.value


def _status(token: "TimeStampResponse") -> str:
    """Return what the authority says, if it did not grant the stamp."""
    words = "; ".join(token.status_string)
    return f"status {token.status} {words}".strip() if token.status else "wrong signer or content"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnchorFailed(f"{path} cannot be read: {error.strerror}") from None


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
