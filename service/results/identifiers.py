"""UIDs of our results: the same for the same result on every machine and at every attempt.

Each is a UUID of version 5 (RFC 9562, section 5.5) under the root 2.25 (PS3.5 section B.2).
"""

import uuid

from pydicom.uid import UID

_NAMESPACE = uuid.UUID("6c0d2f5e-4c8f-5a5e-9d0b-6f7665727264")  # ours alone


def uid_of(*parts: object) -> UID:
    """Return the UID of what these words name together; their order matters."""
    name = "\x1f".join(map(str, parts))
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, name).int}")
