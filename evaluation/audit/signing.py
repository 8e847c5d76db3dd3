"""Keys that sign a bundle, and the check of a signature: Ed25519 (RFC 8032) with keys in PEM files.

OpenSSL reads the same files: `openssl pkeyutl -verify -rawin` checks a signature without overread.
"""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from overread.errors import InvalidFileError, words_of

PUBLIC = ".pub"
"""Added to the name of a key's file for the half that may be given away."""


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the key of a file (PKCS #8 in PEM); where there is none, it is made, its public half beside it.

    Raises:
        InvalidFileError: the file cannot be read or made, or holds no such key.
    """
    try:
        if not path.exists():
            _make_key(path)
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidFileError(f"cannot take a key to sign with from {path}: {words_of(error)}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidFileError(f"{path} holds a key of another kind; an Ed25519 key signs")
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Return the public key of a file (SubjectPublicKeyInfo in PEM).

    Raises:
        InvalidFileError: the file cannot be read, or holds no such key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidFileError(f"cannot take a public key from {path}: {words_of(error)}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidFileError(f"{path} holds a key of another kind; an Ed25519 key signs")
    return key


def is_signed(content: bytes, signature: bytes, key: Ed25519PublicKey) -> bool:
    """Whether the owner of the key signed the content."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return what people compare keys by: the SHA-256 of the public key in DER."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _make_key(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_name(path.name + PUBLIC).write_bytes(public)
