"""Cutting a report into marked pieces."""

from hypothesis import given
from hypothesis import strategies as st

from overread.observation import Span
from service.desk.highlight import Mark, Piece, cut

TEXT = "The heart is normal. No mass is seen."


def mark(number: int, sentence: tuple[int, int], words: tuple[int, int]) -> Mark:
    return Mark(number=number, sentence=Span(*sentence), words=Span(*words))


def covers(span: Span, place: int) -> bool:
    return span.start <= place < span.end


SPANS = st.tuples(st.integers(-5, 60), st.integers(-5, 60)).map(sorted).map(tuple)
MARKS = st.lists(st.builds(mark, st.integers(1, 4), SPANS, SPANS), max_size=5)


@given(text=st.text(max_size=50), marks=MARKS)
def test_the_pieces_joined_are_the_text(text: str, marks: list[Mark]) -> None:
    pieces = cut(text, marks)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)


@given(text=st.text(min_size=1, max_size=50), marks=MARKS, current=st.integers(0, 4))
def test_each_character_belongs_to_the_marks_around_it(text: str, marks: list[Mark], current: int) -> None:
    pieces = [piece for piece in cut(text, marks, current) for _ in piece.text]
    for place, piece in enumerate(pieces):
        naming = [mark for mark in marks if covers(mark.words, place)]
        around = [mark for mark in marks if covers(mark.sentence, place)]
        own = {mark.number for mark in (*naming, *around)}
        assert piece.numbers == tuple(sorted(own))
        assert piece.named == bool(naming)
        assert piece.current == (current in own)


def test_the_sentence_is_marked_and_the_words_in_it_named() -> None:
    assert cut(TEXT, [mark(1, (21, 37), (24, 28))], current=1) == (
        Piece(text="The heart is normal. "),
        Piece(text="No ", numbers=(1,), current=True),
        Piece(text="mass", numbers=(1,), named=True, current=True),
        Piece(text=" is seen.", numbers=(1,), current=True),
    )


def test_a_sentence_of_two_discrepancies_bears_both_numbers() -> None:
    pieces = cut(TEXT, [mark(1, (21, 37), (24, 28)), mark(2, (21, 37), (29, 31))], current=2)
    assert [piece.numbers for piece in pieces] == [(), (1, 2), (1, 2), (1, 2), (1, 2), (1, 2)]
    assert all(piece.current for piece in pieces[1:])


def test_spans_beyond_the_text_are_cut_off() -> None:
    assert cut("mass", [mark(1, (0, 99), (2, 99))])[-1] == Piece(text="ss", numbers=(1,), named=True)


def test_an_empty_text_has_no_pieces() -> None:
    assert cut("", []) == ()
