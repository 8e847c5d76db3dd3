"""The shelf that is a bucket of S3-compatible object storage; needs the extra `s3`.

    s3://<bucket>/<prefix>/<shelf>/ab/<sha256>

Whoever asks is known by boto3's own means: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a role.
Each object is sent in one request together with its SHA-256 as computed while it arrived, so that the storage
refuses it if the bytes changed on the way or on the local disk.
"""

import base64
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from overread.errors import ConfigurationError, NotFoundError, OutOfResourcesError
from service.store.cache import ObjectCache
from service.store.object_store import KeptObject

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as error:
    raise ConfigurationError(
        "OVERREAD_OBJECTS_URL names object storage, which needs boto3: pip install 'overread[s3]'"
    ) from error

ONE_REQUEST_BYTES_MAX = 5 << 30  # Amazon S3: the most that a PUT takes
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_ATTEMPTS = 3
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_REFUSED = frozenset({"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketObjectStore:
    """The part of a bucket under one prefix, with copies on this machine."""

    client: Any = field(repr=False)
    bucket: str
    prefix: str  # "" or with "/" at its end
    cache: ObjectCache

    def take(self, path: Path, sha256: str) -> None:
        """Send the bytes of a file, which stays as a copy; the storage has acknowledged when this returns."""
        with self._errors(sha256), path.open("rb") as file:
            self.client.put_object(
                Bucket=self.bucket,
                Key=self._key(sha256),
                Body=file,
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
            )
        self.cache.adopt(path, sha256)

    def size_of(self, sha256: str) -> int | None:
        """Return how many bytes are kept under a hash; None where there is no such object."""
        try:
            with self._errors(sha256):
                head = self.client.head_object(Bucket=self.bucket, Key=self._key(sha256))
        except NotFoundError:
            return None
        return int(head["ContentLength"])

    def local(self, sha256: str) -> Path | None:
        """Return the copy, if there is one."""
        return self.cache.find(sha256)

    def fetch(self, sha256: str) -> Path:
        """Return the copy, which is fetched where there is none.

        Raises:
            NotFoundError: there is no such object, or its bytes have another hash.
        """
        found = self.cache.find(sha256)
        if found is not None:
            return found
        with self.reading(sha256) as stream:
            return self.cache.fill(sha256, stream)

    @contextmanager
    def reading(self, sha256: str) -> Iterator[BinaryIO]:
        """Give a stream from the storage itself.

        Raises:
            NotFoundError: there is no such object.
        """
        with self._errors(sha256):
            reply = self.client.get_object(Bucket=self.bucket, Key=self._key(sha256))
            with closing(reply["Body"]) as stream:
                yield stream

    def remove(self, sha256: str) -> None:
        """Remove an object and its copy on this machine."""
        with self._errors(sha256):
            self.client.delete_object(Bucket=self.bucket, Key=self._key(sha256))
        self.cache.drop(sha256)

    def listed(self, prefix: str) -> Iterator[KeptObject]:
        """Yield what the storage lists, which is in the order of the names."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}{prefix}/"
        )
        with self._errors(prefix):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield KeptObject(
                        sha256=item["Key"].rpartition("/")[2],
                        size_bytes=item["Size"],
                        modified_at=item["LastModified"],
                    )

    def check(self) -> None:
        """Return if the bucket is there.

        Raises:
            ConfigurationError: it is not, or refuses who asks.
        """
        try:
            with self._errors(""):
                self.client.head_bucket(Bucket=self.bucket)
        except NotFoundError:
            raise ConfigurationError(
                f"there is no bucket {self.bucket!r}; make it, or correct OVERREAD_OBJECTS_URL"
            ) from None
        except OutOfResourcesError as error:
            if isinstance(error.__cause__, ClientError) and _code(error.__cause__) in _REFUSED:
                raise ConfigurationError(
                    f"the bucket {self.bucket!r} refuses who asks; see AWS_ACCESS_KEY_ID in docs/store.md"
                ) from None
            raise

    def _key(self, sha256: str) -> str:
        return f"{self.prefix}{sha256[:2]}/{sha256}"

    @contextmanager
    def _errors(self, sha256: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if _code(error) in _ABSENT:
                raise NotFoundError(
                    f"the bytes of object {sha256} are not stored; see overread fsck"
                ) from error
            raise OutOfResourcesError(
                f"the object storage refuses ({_code(error)}); try again later"
            ) from error
        except BotoCoreError as error:
            raise OutOfResourcesError(
                f"the object storage cannot be reached ({type(error).__name__}); try again later"
            ) from error


def bucket_shelves(
    url: str, endpoint: str | None, *, names: tuple[str, ...], cache: ObjectCache
) -> tuple[BucketObjectStore, ...]:
    """Return the shelves of these names in a bucket.

    Raises:
        ConfigurationError: the settings of boto3 are wrong.
    """
    parts = urlsplit(url)
    path = parts.path.strip("/")
    try:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                max_pool_connections=32,
                # Storage of other makers knows these of no other kind than what we ask for.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"the object storage cannot be set up: {error}") from error
    return tuple(
        BucketObjectStore(
            client=client,
            bucket=parts.netloc,
            prefix=f"{path}/{name}/" if path else f"{name}/",
            cache=cache,
        )
        for name in names
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
