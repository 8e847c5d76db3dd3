from hypothesis import given
from hypothesis import strategies as st

from overread.report.text import WordSplitter, words_of


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_text_of_ascii_characters_is_split_as_any_other(text: str) -> None:
    words = WordSplitter({}, frozenset()).split(text.lower())
    assert tuple(words.surface) == words_of(text)


def test_words_that_run_together_are_two_with_their_own_places() -> None:
    known = frozenset({"scarring", "atelectasis"})
    words = WordSplitter({}, known, content=known).split("old scarringatelectasis")
    assert list(words.surface) == ["old", "scarring", "atelectasis"]
    assert list(words.starts) == [0, 4, 12]
    assert [words.end(index) for index in range(3)] == [3, 12, 23]
