"""A time-stamping authority on loopback: openssl signs; requests to it can be spoilt on the way."""

from __future__ import annotations

import contextlib
import datetime as dt
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from loopback import Handler, Server

CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = {digests}
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A root, a certificate below it, and a server that signs with that. ``spoil`` changes requests.

    Args:
        folder: for keys and certificates.
        name: common name of the certificate that signs.
        days: how long that is valid from ten days ago on; less than ten: it has expired.
    """

    def __init__(self, folder: Path, name: str = "Stamps of Test", days: int = 365) -> None:
        folder.mkdir()
        self.folder, self.roots = folder, folder / "root.pem"
        self.spoil: Callable[[bytes], bytes] = lambda request: request
        self.answer: bytes | None = None
        self.delay = 0.0
        self.asked = 0
        self._one_at_a_time = threading.Lock()
        self._make_certificates(name, days)
        self.accept("sha256")
        self._server = Server(self._handler()).start()
        self.address, self.stop = f"{self._server.url}/tsr", self._server.stop

    def accept(self, digests: str) -> None:
        """Sign requests with these hash functions alone."""
        (self.folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=self.folder, digests=digests))

    def sign(self, request: bytes) -> bytes:
        """What ``openssl ts`` answers to ``request``."""
        command = ["openssl", "ts", "-reply", "-queryfile", "request.tsq", "-config", "tsa.cnf"]
        command += ["-signer", "signer.pem", "-inkey", "signer.key", "-out", "answer.tsr"]
        with self._one_at_a_time:
            (self.folder / "request.tsq").write_bytes(request)
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
            return (self.folder / "answer.tsr").read_bytes()

    def _make_certificates(self, name: str, days: int) -> None:
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        begin = dt.datetime.now(dt.UTC) - dt.timedelta(days=10)
        about = x509.CertificateBuilder().issuer_name(_name(f"Root of {name}")).not_valid_before(begin)
        root = (
            about.subject_name(_name(f"Root of {name}"))
            .public_key(root_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_after(begin + dt.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        signer = (
            about.subject_name(_name(name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_after(begin + dt.timedelta(days=days))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        self.roots.write_bytes(root.public_bytes(pem))
        (self.folder / "signer.pem").write_bytes(signer.public_bytes(pem))
        (self.folder / "signer.key").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )

    def _handler(self) -> type[Handler]:
        authority = self

        class Connection(Handler):
            def do_POST(self) -> None:
                authority.asked += 1
                request = self.body()
                assert self.headers["Content-Type"] == "application/timestamp-query"
                time.sleep(authority.delay)
                body = authority.answer
                body = authority.sign(authority.spoil(request)) if body is None else body
                with contextlib.suppress(OSError):
                    self.reply(200, body, {"Content-Type": "application/timestamp-reply"})

        return Connection


@contextlib.contextmanager
def authority(folder: Path, name: str = "Stamps of Test", days: int = 365) -> Iterator[Authority]:
    """An authority that is stopped at the end."""
    found = Authority(folder, name, days)
    try:
        yield found
    finally:
        with contextlib.suppress(OSError):
            found.stop()
