"""Who acted, told apart from others and shown to people."""

import pytest

from overread.actor import Actor, ActorKind
from overread.errors import InputError


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("worker host 7", "worker:host 7"),
        ("HL7 10.0.0.5", "hl7:10.0.0.5"),
        ("C-STORE MODALITY 10.0.0.5", "c-store:MODALITY 10.0.0.5"),
        ("policy", "policy"),
    ],
)
def test_a_program_is_told_apart_by_its_kind_and_which_one_it_is(name: str, identifier: str) -> None:
    assert Actor.program(name) == Actor(identifier=identifier, kind=ActorKind.PROGRAM, display_name=name)


def test_a_typed_name_is_shown_and_marked_as_unverified() -> None:
    assert Actor.unverified(" Dr \n Roe ") == Actor(
        identifier="unverified:Dr Roe", kind=ActorKind.PERSON, display_name="Dr Roe"
    )
    elsewhere = Actor.unverified("Dr Roe", sent_from="page 10.0.0.5")
    assert (elsewhere.identifier, elsewhere.display_name) == ("unverified:Dr Roe", "Dr Roe (page 10.0.0.5)")


def test_an_account_is_what_is_known_of_who_names_himself_otherwise() -> None:
    assert Actor.account("jane") == Actor(
        identifier="account:jane", kind=ActorKind.PERSON, display_name="jane"
    )
    assert Actor.account("jane", "Dr Roe") == Actor(
        identifier="account:jane", kind=ActorKind.PERSON, display_name="Dr Roe"
    )


@pytest.mark.parametrize("name", ["", " .", "\0"])
def test_a_person_without_a_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="name of the person"):
        Actor.unverified(name)
    with pytest.raises(InputError, match="name of the person"):
        Actor.account("jane", name)


def test_a_long_name_fits_the_columns_of_the_store() -> None:
    name = "a " + "b" * 1000
    for actor in (
        Actor.program(name),
        Actor.unverified(name, sent_from="page 10.0.0.5"),
        Actor.account(name),
    ):
        assert len(actor.identifier) <= 320
        assert len(actor.display_name) <= 256
