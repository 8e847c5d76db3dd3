"""Which passwords are accepted, and how they are kept."""

import pytest

from overread.errors import InputError
from service.security.passwords import check_password, hash_password, is_outdated, is_password

NAMES = ("ada", "Ada Lovelace")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "x9$kQ2mPz7&vB4nL",
        "пароль из нескольких слов",
        "fifteen letters",
        "w" * 3 + "xyzXYZabcdefgh",
        "a" + "é" * 3 + "tude de la nuit " * 60,
    ],
)
def test_a_long_password_of_whatever_characters_is_accepted(password: str) -> None:
    check_password(password, names=NAMES)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("", "15 to 1000"),
        ("fourteen chars", "15 to 1000"),
        ("long " * 201, "15 to 1000"),
        ("passwordpassword", "tried first"),
        ("Password12345678", "tried first"),
        ("aaaaaaaaaaaaaaaaaaaa", "tried first"),
        ("qwertyuiop123456", "tried first"),
        ("adalovelace2026!", "name of the person"),
        ("overread overread", "name of the person"),
        ("OVERREAD1234567", "name of the person"),
    ],
)
def test_what_would_be_guessed_early_is_refused(password: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_password(password, names=NAMES)


def test_eight_characters_are_enough_beside_a_second_factor() -> None:
    check_password("k4vR tz!", names=NAMES, has_second_factor=True)
    with pytest.raises(InputError, match="8 to 1000"):
        check_password("k4vR tz", names=NAMES, has_second_factor=True)


def test_a_password_is_kept_as_argon2id_with_a_salt_of_its_own() -> None:
    first, second = hash_password("correct horse battery"), hash_password("correct horse battery")

    assert first.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert first != second
    assert is_password("correct horse battery", first)
    assert not is_password("correct horse batterz", first)
    assert not is_outdated(first)


def test_letters_that_keyboards_compose_differently_are_the_same() -> None:
    assert is_password("caf\u00e9 noir au matin", hash_password("cafe\u0301 noir au matin"))


@pytest.mark.parametrize("kept", [None, "", "plain text"])
def test_nothing_is_the_password_of_who_has_none(kept: str | None) -> None:
    assert not is_password("the password of nobody", kept)
