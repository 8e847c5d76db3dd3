"""People, their sessions, tokens of programs, and failed attempts to sign in.

Revision: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_people()
    _make_tokens()


def _make_people() -> None:
    op.create_table(
        "people",
        sa.Column("person_id", ROW_NUMBER, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("display_name", sa.String(200), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(1024)),
        sa.Column("password_hash", sa.Text()),
        sa.Column("totp_secret", sa.String(64)),
        sa.Column("totp_step", sa.BigInteger()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("disabled_at", TIME),
        sa.PrimaryKeyConstraint("person_id", name="pk_people"),
        sa.UniqueConstraint("name", name="uq_people_name"),
        sa.UniqueConstraint("subject", name="uq_people_subject"),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", ROW_NUMBER, nullable=False),
        sa.Column("cookie_sha256", sa.String(64), nullable=False),
        sa.Column("person_id", ROW_NUMBER, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("provider_token", sa.Text()),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"], name="fk_sessions_person_id"),
        sa.UniqueConstraint("cookie_sha256", name="uq_sessions_cookie_sha256"),
    )
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"])


def _make_tokens() -> None:
    op.create_table(
        "access_tokens",
        sa.Column("token_id", ROW_NUMBER, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.String(256), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False, server_default="PROGRAM"),
        sa.Column("actor_identifier", sa.String(320), nullable=False, server_default="unknown"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.Column("used_at", TIME),
        sa.PrimaryKeyConstraint("token_id", name="pk_access_tokens"),
        sa.UniqueConstraint("name", name="uq_access_tokens_name"),
        sa.UniqueConstraint("token_sha256", name="uq_access_tokens_token_sha256"),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("kept_until", TIME, nullable=False),
        sa.Column("open_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key_sha256", name="pk_sign_in_failures"),
    )


def downgrade() -> None:
    """Refuse, as every revision does."""
    raise RuntimeError("there is no way back between revisions; restore a backup instead")
