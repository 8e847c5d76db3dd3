"""What the list says of itself, and what its addresses may say."""

from dataclasses import replace

import pytest

from service.desk.listing import Listing, lead_of, listing_of, other_side, share_links
from service.store.worklist_records import WorklistLine


def line(*, above: int, below: int, triaged: int, share: float = 0.1) -> WorklistLine:
    priority = 20.0 if below else None
    return WorklistLine(share=share, priority=priority, triaged=triaged, above=above, below=below)


@pytest.mark.parametrize(
    ("listing", "shown", "words"),
    [
        (Listing(), line(above=33, below=200, triaged=324), "33 of 324 triaged cases: a tenth, by"),
        (Listing(), line(above=17, below=9, triaged=324, share=0.05), "17 of 324 triaged cases: a twentieth"),
        (Listing(), line(above=10, below=2, triaged=30, share=1 / 3), "10 of 30 triaged cases: 33.3"),
        # more than the share: rounded up from few, the least number of cases, or equal priorities
        (Listing(), line(above=1, below=1, triaged=8), "1 of 8 triaged cases, by expected benefit."),
        (Listing(), line(above=10, below=2, triaged=30), "10 of 30 triaged cases, by expected benefit."),
        (Listing(), line(above=1, below=0, triaged=1), "1 of 1 triaged case: all that are listed"),
        (Listing(rest=True), line(above=33, below=200, triaged=324), "200 of 324 triaged cases: what stands"),
        (
            Listing(subspecialty="cardiac"),
            line(above=3, below=2, triaged=30),
            "3 of 30 triaged cases above a line at a tenth: what waited too long, then cardiac",
        ),
        (
            Listing(subspecialty="cardiac", rest=True),
            line(above=3, below=2, triaged=30),
            "2 of 30 triaged cases below a line at a tenth: cardiac, then what is anybody's",
        ),
    ],
)
def test_the_lead_is_true(listing: Listing, shown: WorklistLine, words: str) -> None:
    assert lead_of(listing, shown).startswith(words)


@pytest.mark.parametrize("percent", ["", "0", "-5", "101", "nan", "many", "1e999"])
def test_what_is_no_share_is_passed_over(percent: str) -> None:
    assert listing_of(f"share={percent}").share is None


def test_the_share_of_the_policy_is_offered_too() -> None:
    links = share_links(Listing(), line(above=9, below=1, triaged=60, share=0.15))

    assert [link.name.replace("\u00a0", " ") for link in links] == ["5 %", "10 %", "15 %", "20 %"]
    assert [link.current for link in links] == [False, False, True, False]


def test_an_address_leads_back_to_the_same_list() -> None:
    listing = listing_of("for=thoracic&share=20&part=rest")

    assert listing == Listing(subspecialty="thoracic", share=0.2, rest=True)
    assert listing.address() == "/?for=thoracic&share=20&part=rest"
    assert listing.case_address(7, "finding=2") == "/cases/7?finding=2&for=thoracic&share=20"
    assert listing_of("for=nobody&share=x&part=y").address() == "/"


def test_an_address_names_whose_list_it_is_unless_it_is_ones_own() -> None:
    own = listing_of("", own=["cardiac"])

    assert (own.subspecialty, own.address()) == ("cardiac", "/")
    assert listing_of("for=everybody", own=["cardiac"]).address() == "/?for=everybody"
    assert listing_of("for=thoracic", own=["cardiac"]).address() == "/?for=thoracic"
    assert listing_of("", own=["cardiac", "thoracic"]) == Listing()
    assert listing_of("", own=["phrenology"]) == Listing()


@pytest.mark.parametrize(
    "query",
    [
        "flag=mass&flag=pneumothorax&kind=possible_miss",
        "for=cardiac&share=20&modality=CT&urgency=minutes&urgency=hours&waited=1.5&who=mine&sort=cap",
        "subspecialty=thoracic&who=open&rows=compact&part=rest",
        "cases=12.7",
        "cases=none",
    ],
)
def test_an_address_carries_the_filter_the_order_and_the_density(query: str) -> None:
    assert listing_of(query).address() == f"/?{query}"
    assert listing_of(listing_of(query).query()) == listing_of(query)


@pytest.mark.parametrize(
    "query",
    [
        "flag=nothing&kind=KIND&modality=%3Cscript%3E&urgency=soon&waited=-1&who=you&sort=up&rows=all",
        "waited=nan&waited=1e9&subspecialty=none",
        "&".join(["flag=mass"] * 500),
    ],
)
def test_what_no_filter_can_be_is_passed_over(query: str) -> None:
    assert listing_of(query) == Listing()


@pytest.mark.parametrize(("above", "words"), [(2001, "more than 2000 of 9000"), (2000, "2000 of 9000")])
def test_what_was_not_counted_to_the_end_is_not_told_as_if_it_were(above: int, words: str) -> None:
    counted = replace(line(above=above, below=2001, triaged=9000), is_capped=True)
    listing = listing_of("flag=mass")

    assert lead_of(listing, counted).startswith(words)
    link = other_side(listing, counted)
    assert link is not None
    assert link.name == "more than 2000 more below the line"
    assert lead_of(Listing(), replace(counted, is_capped=False)).startswith(f"{above} of 9000")
