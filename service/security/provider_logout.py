"""Log-outs that a provider tells over the back channel (OpenID Connect Back-Channel Logout 1.0).

The provider posts a signed logout token when somebody signs out there. What is asked of it is in section 2.6:
the signature of an ID token, issuer, audience and times; the one event; a subject, a session or both; no
nonce, which would make it an ID token; and that it has not been told before.
"""

import hashlib
from datetime import UTC, datetime

from joserfc import jwt
from joserfc.errors import JoseError

from overread.actor import Actor
from overread.errors import InputError
from service.security.provider import Provider
from service.security.settings import SecuritySettings
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.database import Store
from service.store.sessions import ProviderLogout, end_sessions_at_word

EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = frozenset({"logout+jwt", "jwt", ""})  # section 2.4 recommends the first; others leave it out
_LONGEST = 8192  # characters of a token


def read_logout(
    provider: Provider, settings: SecuritySettings, token: str, *, now: datetime
) -> ProviderLogout:
    """Return what a logout token says.

    Raises:
        InputError: it is none that could be believed.
        OutOfResourcesError: the provider's keys are needed, and it does not answer.
    """
    if len(token) > _LONGEST:
        raise InputError("the logout token is too long")
    header, claims = provider.checked_token(token)
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=int(settings.oidc_skew_seconds),
        iss={"essential": True, "value": settings.oidc_issuer or ""},
        aud={"essential": True, "value": settings.oidc_client_id or ""},
        exp={"essential": True},
        iat={"essential": True},
        jti={"essential": True},
        events={"essential": True},
    )
    try:
        registry.validate(claims)
    except JoseError as error:
        raise InputError(f"the logout token cannot be used ({error.error})") from error
    events, subject, session = claims["events"], claims.get("sub"), claims.get("sid")
    if str(header.get("typ", "")).lower() not in _TYPES or "nonce" in claims:
        raise InputError("it is a token for something else")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise InputError("the token tells no log-out")
    named = [item for item in (subject, session) if item is not None]
    if not named or not all(isinstance(item, str) and item for item in named):
        raise InputError("the logout token names neither subject nor session")
    told = f"{claims['iss']} {claims['jti']}"
    return ProviderLogout(
        token_sha256=hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest(),
        expires_at=datetime.fromtimestamp(int(claims["exp"]) + settings.oidc_skew_seconds + 1, UTC),
        subject=None if subject is None else f"{claims['iss']} {subject}",
        session=session,
    )


def end_sessions(store: Store, logout: ProviderLogout, *, now: datetime, what: str, sent_from: str) -> int:
    """End the sessions that a provider says have ended, and return how many there were.

    Args:
        store: where.
        logout: what the provider says.
        now: the time.
        what: route by which it says so.
        sent_from: address of the provider.

    Raises:
        InputError: it has said the same before.
    """

    def entry_of(name: str) -> AuditEntry:
        return AuditEntry(
            at=now,
            actor=Actor.program("provider"),
            sent_from=sent_from,
            action=AuditAction.SIGNED_OUT,
            what=what,
            subject=f"person {name}",
        )

    ended = end_sessions_at_word(store, logout, now=now, entry_of=entry_of)
    if ended is None:
        raise InputError("this log-out has been told before")
    return ended
