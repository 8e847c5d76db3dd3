"""Code of the release before this one, from the history, and of one to come that adds to the tables."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from service.store.migration import FIRST_TO_TELL, newest_revision

ROOT = Path(__file__).parents[4]
PACKAGES = ("overread", "models", "service", "training", "evaluation")
NO_HISTORY = "the history of the repository is not here (a shallow clone, or no git)"
NEXT_REVISION = f"{int(newest_revision()) + 1:04}"
_MIGRATIONS = "service/store/migrations/versions"
_ANCHOR = '    Column("closed_at", UtcDateTime),  # null while images may still come\n'
_COLUMN = '    Column("taken_by", String(16), default="next"),\n'
_MIGRATION = '''"""A column and a table of a release to come."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
usable_from = "{usable_from}"


def upgrade() -> None:
    op.add_column("studies", sa.Column("taken_by", sa.String(16)))
    op.create_index("ix_studies_taken_by", "studies", ["taken_by"])
    op.create_table("remarks", sa.Column("remark_id", sa.BigInteger(), primary_key=True))
'''


def earlier_release(folder: Path) -> str | None:
    """Lay down the last release whose tables told nothing of who may work on them; return its commit.

    None where the history is not there.
    """
    added = _git("log", "--diff-filter=A", "--format=%H", "--", f"{_MIGRATIONS}/{FIRST_TO_TELL}_*.py")
    if not added:
        return None
    commit = f"{added.decode().split()[-1]}^"
    archive = _git("archive", commit, *PACKAGES)
    if not archive:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    return _git("rev-parse", "--short", commit).decode().strip()


def next_release(folder: Path) -> None:
    """Lay down this release with a further revision, whose column it fills in all that it takes."""
    folder.mkdir(parents=True)
    for name in PACKAGES:
        if name != "service":
            (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "service", folder / "service", ignore=shutil.ignore_patterns("__pycache__"))
    schema = folder / "service" / "store" / "schema.py"
    text = schema.read_text()
    assert text.count(_ANCHOR) == 1
    schema.write_text(text.replace(_ANCHOR, _ANCHOR + _COLUMN))
    migration = _MIGRATION.format(
        revision=NEXT_REVISION, before=newest_revision(), usable_from=newest_revision()
    )
    (folder / _MIGRATIONS / f"{NEXT_REVISION}_next.py").write_text(migration)


def _git(*words: str) -> bytes:
    """Return what git says; nothing where it fails."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=False)
    except FileNotFoundError:
        return b""
    return done.stdout if done.returncode == 0 else b""
