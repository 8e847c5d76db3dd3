"""Sites: where a study was made, by what its images and its report say, under one name here.

Images say it as Institution Name (0008,0080), HL7 messages as sending facility (MSH-4). Neither is a code,
and the two seldom agree, so that an installation may name what they write (OVERREAD_SITE_NAMES).
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from overread.errors import InputError, NotFoundError
from service.intake.header import read_header
from service.store.database import Store
from service.store.sites import kept_objects, record_site, studies_without_site

_BATCH = 500
SITE_MAX = 64  # characters, as LO has them (PS3.5 table 6.2-1)


def folded_site(said: str) -> str:
    """Return a name of a site so that two ways of writing it are one: without case and outer blanks."""
    return " ".join(said.split()).casefold()[:SITE_MAX]


def site_of(said: str | None, names: Mapping[str, str]) -> str | None:
    """Return the site that images or a message name; None where they say nothing.

    Args:
        said: as it was written.
        names: what it is called here, by what is written; what is not among them is called as it is written.
    """
    if said is None or not (folded := folded_site(said)):
        return None
    here = {folded_site(name): folded_site(site) for name, site in names.items()}
    return here.get(folded, folded)


def sites_named(names: Collection[str]) -> frozenset[str]:
    """Return the sites of these names, however they are written.

    Raises:
        InputError: one is empty or too long to be one.
    """
    if any(not name.strip() or len(name) > SITE_MAX for name in names):
        raise InputError(f"the name of a site has 1 to {SITE_MAX} characters")
    return frozenset(map(folded_site, names))


def learn_sites(store: Store, *, now: datetime) -> tuple[int, int]:
    """Read the sites of studies without one from their images; return how many have one now, how many none.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    learned = silent = 0
    after = ""
    while uids := studies_without_site(store, after=after, limit=_BATCH):
        for uid in uids:
            site = _site_in_images(store, uid)
            if site is None:
                silent += 1
            else:
                record_site(store, uid, site, now=now)
                learned += 1
        after = uids[-1]
    return learned, silent


def _site_in_images(store: Store, study_instance_uid: str) -> str | None:
    for sha256 in kept_objects(store, study_instance_uid):
        try:
            header = read_header(store.files.path_of(sha256))
        except (InputError, NotFoundError, OSError):
            continue
        # A document may be of another house than the images that it is about.
        if header.rows and (site := site_of(header.institution, store.settings.site_names)):
            return site
    return None
