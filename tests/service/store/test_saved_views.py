import pytest

from overread.errors import InputError, OverLimitError
from service.store.saved_views import VIEWS_MAX, drop_view, list_views, save_view
from tests.service.material import NOW
from tests.service.store.test_reading_claims import ADA, BOB


def kept(store, owner=ADA) -> list[tuple[str, str]]:
    return [(view.name, view.query) for view in list_views(store, owner)]


def test_each_person_keeps_views_of_its_own_by_name(store) -> None:
    save_view(store, ADA, "  Night   shift ", "urgency=minutes", now=NOW)
    save_view(store, ADA, "All", "", now=NOW)
    save_view(store, BOB, "All", "who=mine", now=NOW)
    save_view(store, ADA, "All", "share=100", now=NOW)

    assert kept(store) == [("All", "share=100"), ("Night shift", "urgency=minutes")]
    assert kept(store, BOB) == [("All", "who=mine")]


def test_nobody_drops_what_another_keeps(store) -> None:
    save_view(store, ADA, "All", "", now=NOW)
    (view,) = list_views(store, ADA)

    drop_view(store, BOB, view.view_id)
    assert kept(store) == [("All", "")]
    drop_view(store, ADA, view.view_id)
    assert kept(store) == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
def test_what_is_no_name_is_refused(store, name) -> None:
    with pytest.raises(InputError, match="1 to 60"):
        save_view(store, ADA, name, "", now=NOW)


def test_one_person_keeps_so_many_and_no_more(store) -> None:
    for number in range(VIEWS_MAX):
        save_view(store, ADA, f"view {number}", "", now=NOW)

    with pytest.raises(OverLimitError):
        save_view(store, ADA, "one more", "", now=NOW)
    save_view(store, ADA, "view 3", "who=open", now=NOW)
    assert len(kept(store)) == VIEWS_MAX
