"""The tables of who may enter: people, their sessions, tokens of programs, failed attempts to sign in.

Passwords and what a browser or a program shows are kept as hashes; no row lets anybody in by being read.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from service.store.column_types import RowNumber, Sha256, UtcDateTime, actor_columns
from service.store.metadata import metadata

# A person who may sign in, or could before the account was disabled; never deleted, since events name it.
people = Table(
    "people",
    metadata,
    Column("person_id", RowNumber, primary_key=True),
    Column("name", String(200), nullable=False),  # to sign in with; as service.store.people.folded gives it
    Column("display_name", String(200), nullable=False),
    Column("roles", Text, nullable=False),  # JSON array of service.security.roles.Role
    Column("source", String(16), nullable=False),  # LOCAL, OIDC or PROXY: who confirms the identity
    Column("subject", String(1024)),  # under which the source knows the person; null of LOCAL
    Column("password_hash", Text),  # Argon2id with its parameters; null where nobody can sign in by it
    Column("totp_secret", String(64)),  # of the second factor, in base 32; null where there is none
    Column("totp_step", BigInteger),  # the last time step that was used, which cannot be used again
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),  # null while the account may be used
    Column("sites", Text),  # JSON array of the sites whose cases are seen; null: of every site
    # JSON array of whose second looks are listed first.
    Column("subspecialties", Text, nullable=False, server_default="[]"),
    UniqueConstraint("name", name="uq_people_name"),
    UniqueConstraint("subject", name="uq_people_subject"),
)

# One browser in which somebody has signed in; the row goes when the session ends.
sessions = Table(
    "sessions",
    metadata,
    Column("session_id", RowNumber, primary_key=True),
    Column("cookie_sha256", Sha256, nullable=False),
    Column("person_id", RowNumber, ForeignKey("people.person_id"), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),  # within a minute
    Column("ends_at", UtcDateTime, nullable=False),  # however much it is used
    Column("address", String(64), nullable=False),  # of the machine that signed in
    Column("provider_token", Text),  # ID token of OpenID Connect, to sign out there too
    Column("provider_session", String(255)),  # claim sid of that token; null where it has none
    UniqueConstraint("cookie_sha256", name="uq_sessions_cookie_sha256"),
    Index("ix_sessions_person_id", "person_id"),
)

# What a program shows to be let in.
access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_id", RowNumber, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("token_sha256", Sha256, nullable=False),
    Column("scopes", Text, nullable=False),  # JSON array of service.security.roles.Scope
    *actor_columns(),  # who made it
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("used_at", UtcDateTime),  # within an hour; null where it has not been used
    Column("sites", Text),  # JSON array of the sites whose cases are seen; null: of every site
    Column("suspended_at", UtcDateTime),  # by a restore; null while it lets somebody in
    UniqueConstraint("name", name="uq_access_tokens_name"),
    UniqueConstraint("token_sha256", name="uq_access_tokens_token_sha256"),
)

# Failed attempts to sign in, counted by what they have in common; and from where who has signed in.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("key_sha256", Sha256, primary_key=True),  # of an account, an address, or both
    Column("failures", Integer, nullable=False),  # since the last success; 0 of what has succeeded
    Column("kept_until", UtcDateTime, nullable=False),  # then the row goes, and the count begins anew
    Column("open_at", UtcDateTime, nullable=False),  # from then on the next attempt is looked at
)

# Log-outs that a provider of OpenID Connect told, so that none of them is told twice.
provider_logouts = Table(
    "provider_logouts",
    metadata,
    Column("token_sha256", Sha256, primary_key=True),  # of issuer and jti of the logout token
    Column("kept_until", UtcDateTime, nullable=False),  # then the token has expired, and the row goes
)
