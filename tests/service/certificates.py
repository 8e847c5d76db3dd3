"""Certificates of the tests, made by openssl: an authority, a server and a client."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.network_settings import TlsFiles


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Where the certificates lie."""

    folder: Path

    @property
    def files(self) -> TlsFiles:
        """The server's, letting in whoever speaks TLS."""
        return TlsFiles(certificate=self.folder / "server.crt", key=self.folder / "server.key")

    @property
    def mutual_files(self) -> TlsFiles:
        """The server's, letting in only whom the authority has certified."""
        return TlsFiles(
            certificate=self.folder / "server.crt",
            key=self.folder / "server.key",
            client_authority=self.folder / "authority.crt",
        )

    def settings(self, *, mutual: bool = False) -> dict[str, Path | None]:
        """The fields of a listener's settings, with those files."""
        files = self.mutual_files if mutual else self.files
        return {
            "tls_certificate": files.certificate,
            "tls_key": files.key,
            "tls_client_ca": files.client_authority,
        }

    def client(self, *, certified: bool = False) -> ssl.SSLContext:
        """A client that trusts the authority, and has a certificate itself or not."""
        context = ssl.create_default_context(cafile=self.folder / "authority.crt")
        if certified:
            context.load_cert_chain(self.folder / "client.crt", self.folder / "client.key")
        return context


def make_certificates(folder: Path) -> Certificates:
    """Make them; skips where openssl is not installed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian package openssl)")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        *new,
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=authority",
        "-keyout",
        "authority.key",
        "-out",
        "authority.crt",
    )
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("x509", "-req", "-in", f"{name}.csr", "-CA", "authority.crt", "-CAkey", "authority.key")
        openssl(*signed, "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", f"{name}.crt")
    return Certificates(folder=folder)
