"""Heads signed by a time-stamping authority (RFC 3161): a time within seconds, if one trusts its key.

What is stamped is the record's hash as 64 hex digits, so that `openssl ts -verify` can check it as well.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from btc_assets.errors import ConfigurationError, LedgerError
from btc_assets.ledger.publishing.published import Published
from btc_assets.ledger.publishing.timestamps import Stamp, Stamps, encoded
from btc_assets.ledger.publishing.web import ask, ask_all
from btc_assets.ledger.records import Head
from btc_assets.storage.tables import TableStore

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import SignedData

ANSWER_TIMEOUT = 10.0
"""Seconds that the authority may hold up a run."""

_log = logging.getLogger(__name__)

_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


class AuthoritySink:
    """Has each head signed by one authority, and believes it only below the roots that are pinned.

    Args:
        tables: where tokens are kept (``head_timestamps``).
        address: where the authority answers requests.
        roots: PEM file with the certificates that its own must lead to.
    """

    def __init__(self, tables: TableStore, address: str, roots: Path) -> None:
        self.location = f"tsa+{address}"
        self._stamps, self._address, self._roots = Stamps(tables, "tsa"), address, roots

    def publish(self, head: Head) -> None:
        """Have ``head`` signed, and whatever earlier runs could not.

        Raises:
            LedgerError: the authority did not answer, or not with a good signature of ``head``; it is queued.
        """
        unsigned = [stamp for stamp in self._stamps.queue(head) if not stamp.proof]
        roots = self.roots  # a file that cannot be read is told before anybody is asked
        answers = ask_all({stamp: partial(self._signed, stamp, roots) for stamp in unsigned}, ANSWER_TIMEOUT)
        self._stamps.save(a for a in answers.values() if isinstance(a, Stamp))
        failures = {s.record_sha256: a for s, a in answers.items() if isinstance(a, LedgerError)}
        for failure in failures.values():
            _log.warning("a head was not time-stamped: %s", failure)
        if failed := failures.get(head.record_sha256):
            raise LedgerError(f"record {head.seq} is not time-stamped: {failed}; the next run tries again")

    def published(self, symbol: str) -> list[Published]:
        """Return every head that was signed; each signature is verified again.

        Raises:
            LedgerError: a token is not one of this authority for its head.
        """
        return [self._published(stamp) for stamp in self._stamps.read(symbol) if stamp.proof]

    def _signed(self, stamp: Stamp, roots: list[Certificate]) -> Stamp:
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

        message = stamp.digest.hex().encode()
        request = TimestampRequestBuilder(message, HashAlgorithm.SHA256, nonce=True, cert_req=True).build()
        token = ask(self._address, request.as_bytes(), _HEADERS)
        at, name = verify_token(token, message, roots, request.nonce)
        return replace(
            stamp, sent_to=self._address, proof=encoded(token), dated_at=at, dated_by=f"time stamp of {name}"
        )

    def _published(self, stamp: Stamp) -> Published:
        try:
            at, name = verify_token(stamp.file, stamp.digest.hex().encode(), self.roots)
        except LedgerError as error:
            raise LedgerError(f"head_timestamps: record {stamp.seq}: {error}") from error
        if at != stamp.dated_at:
            raise LedgerError(f"head_timestamps: record {stamp.seq} was signed at {at}, not {stamp.dated_at}")
        return Published(
            stamp.symbol,
            stamp.seq,
            stamp.record_sha256,
            at,
            dated_by=f"time stamp of {name}",
            kind="tsa",
            proof=stamp.file,
        )

    @cached_property
    def roots(self) -> list[Certificate]:
        """The pinned certificates.

        Raises:
            ConfigurationError: the file cannot be read, or holds none.
        """
        from cryptography.x509 import load_pem_x509_certificates

        try:
            return load_pem_x509_certificates(self._roots.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"BTC_LEDGER_TSA_ROOTS={self._roots}: {error.strerror}") from error
        except ValueError as error:
            raise ConfigurationError(
                f"BTC_LEDGER_TSA_ROOTS={self._roots} holds no certificate in PEM form"
            ) from error


def verify_token(
    token: bytes, message: bytes, roots: list[Certificate], nonce: int | None = None
) -> tuple[dt.datetime, str]:
    """Return when and by whom ``message`` was signed (UTC; the common name of the signer's certificate).

    The certificates must have been valid at the time that is signed, so a token stays good when they expire.

    Args:
        token: an answer of an authority (DER).
        message: what was to be signed.
        roots: certificates that the signer's must lead to.
        nonce: what the request held; None where the request is not known any more.

    Raises:
        LedgerError: it is no answer, a refusal, of another message or nonce, or not signed below ``roots``.
    """
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    try:
        response = decode_timestamp_response(token)
        if response.status != 0:
            raise LedgerError(
                f"the authority refused: {', '.join(response.status_string) or 'no reason given'}"
            )
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(response, message)
        return response.tst_info.gen_time.replace(tzinfo=dt.UTC), _signer(response.signed_data)
    except VerificationError as error:
        raise LedgerError(f"the authority's answer does not hold: {error}") from error
    except (ValueError, TypeError) as error:
        raise LedgerError(f"this is no answer of a time-stamping authority: {error}") from error


def _signer(signed: SignedData) -> str:
    """Return the common name of the certificate that signed, or all of its subject."""
    from cryptography.x509 import load_der_x509_certificate
    from cryptography.x509.oid import NameOID

    signer = next(iter(signed.signer_infos))
    for der in signed.certificates:
        certificate = load_der_x509_certificate(der)
        if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
            names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            return str(names[0].value) if names else certificate.subject.rfc4514_string()
    raise LedgerError("the authority's answer does not hold its certificate")
