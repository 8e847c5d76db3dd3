from overread.report import load_reader
from overread.report.explain import explain
from overread.report.reader import MOST_OBSERVATIONS


def explained(text: str, *, colored: bool = False) -> str:
    return explain(text, load_reader().read(text), colored=colored)


def test_words_are_marked_and_described_below() -> None:
    lines = explained("Small right effusion. Possible nodule. No pneumothorax.").splitlines()

    assert lines[0] == "Small right [effusion]+1. Possible [nodule]?2. No [pneumothorax]-3."
    assert lines[2].startswith("  1 effusion: PRESENT, RIGHT, small")
    assert "laterality by place:right" in lines[2]
    assert lines[3].startswith("  2 nodule: UNCERTAIN 0.5")
    assert lines[4].startswith("  3 pneumothorax: ABSENT")


def test_a_group_has_one_number() -> None:
    assert explained("The lungs are clear.").splitlines()[0] == "The [lungs are clear]-1."


def test_the_text_itself_is_not_changed() -> None:
    text = "Nodular opacity in the left lung,\n  possibly a nodule."

    marked = explained(text).split("\n\n")[0]

    for mark in "[]+?-0123456789":
        marked = marked.replace(mark, "")
    assert marked == text


def test_colors_stand_in_for_brackets() -> None:
    assert explained("Effusion.", colored=True).startswith("\x1b[1;31mEffusion\x1b[0m+1.")


def test_advice_and_contradictions_are_told() -> None:
    text = "FINDINGS: Right effusion. IMPRESSION: Left effusion. Recommend CT in 3 months."

    lines = explained(text)

    assert "recommends CT within 90 days" in lines
    assert "contradiction: effusion is right in one part and left in the other" in lines


def test_a_report_without_observations_says_so() -> None:
    assert "nothing that the rules know" in explained("Two views.")


def test_it_is_said_how_much_of_the_text_was_taken_for_findings() -> None:
    assert "0% of the text was taken for findings" in explained("HISTORY: Cough.")
    assert "100% of the text was taken for findings" in explained("Small right effusion.")


def test_statements_that_were_left_out_are_counted() -> None:
    assert "8 further statements were left out" in explained("Effusion. " * (MOST_OBSERVATIONS + 8))
    assert "left out" not in explained("Effusion.")
