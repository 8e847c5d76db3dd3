"""The policies of an installation: which one is in force, and which ones were, since when and by whom."""

import hashlib
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection

from overread.actor import Actor
from overread.errors import ConfigurationError
from overread.priority import Policy, default_policy, parse_policy, shipped_policy_text
from service.store import locks, queries
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.database import Store
from service.store.records import PolicyOrigin, PolicyRecord, actor_columns

_parsed = lru_cache(maxsize=8)(parse_policy)


def policy_in_force(connection: Connection) -> Policy:
    """Return the policy in force; the shipped one while none has been recorded.

    Raises:
        ConfigurationError: this release does not understand it; another must be brought into force.
    """
    row = connection.execute(queries.POLICY_IN_FORCE).one_or_none()
    if row is None:
        return default_policy()
    try:
        return _parsed(row.text)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the policy in force, version {row.version}, does not fit this release: {error}; "
            "bring another into force with `overread policy activate`"
        ) from error


def activate_policy(
    store: Store, text: str, *, actor: Actor, now: datetime, origin: PolicyOrigin = PolicyOrigin.SITE
) -> bool:
    """Bring a policy into force and record it; return whether it means another than before.

    The open list is put in its order by `service.triage.reconsideration.reorder_list`.

    Raises:
        ConfigurationError: the text is no valid policy, or its version was another text before.
    """
    policy = parse_policy(text)
    sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()
    with store.writing(locks.policy()) as connection:
        known = [PolicyRecord.of(row) for row in connection.execute(queries.POLICIES)]
        if known and _means(known[0].text, policy):
            return False
        if any(record.version == policy.version and not _means(record.text, policy) for record in known):
            raise ConfigurationError(
                f"the policy's version {policy.version!r} was in force with other content; "
                "give a changed policy a version of its own"
            )
        connection.execute(
            queries.ADD_POLICY,
            {
                "version": policy.version,
                "sha256": sha256,
                "text": text,
                "origin": origin.value,
                **actor_columns(actor),
                "in_force_from": now,
            },
        )
        act = AuditEntry(
            at=now,
            actor=actor,
            action=AuditAction.CONFIGURED,
            what="policy",
            subject=f"policy {policy.version}",
            detail=f"SHA-256 {sha256}",
        )
        record_act(connection, act)
    return True


def _means(text: str, policy: Policy) -> bool:
    """Whether a text is this policy, whatever its comments say; one of another release may be none."""
    try:
        return _parsed(text) == policy
    except ConfigurationError:
        return False


def follow_shipped_policy(store: Store, *, actor: Actor, now: datetime) -> bool:
    """Bring the shipped policy into force unless the site chose one of its own; return whether it is new."""
    records = list_policies(store)
    if records and records[0].origin is PolicyOrigin.SITE:
        return False
    return activate_policy(store, shipped_policy_text(), actor=actor, now=now, origin=PolicyOrigin.SHIPPED)


def list_policies(store: Store) -> tuple[PolicyRecord, ...]:
    """Return every policy that has been in force, the one in force first."""
    with store.reading() as connection:
        return tuple(PolicyRecord.of(row) for row in connection.execute(queries.POLICIES))
