"""Actor: a person or a program, as the history of a case, a policy or a refusal records it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from overread.errors import InputError

_NAME_MAX = 200


class ActorKind(StrEnum):
    """Whether a person acted or software."""

    PERSON = "PERSON"
    PROGRAM = "PROGRAM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Person or program that did something, and how far its identity is known."""

    identifier: str  # tells actors apart; what stands before its first colon says where it comes from
    kind: ActorKind
    display_name: str  # as a person is shown it

    @classmethod
    def program(cls, name: str) -> Self:
        """Return the program of a name such as "worker host 7" or "HL7 10.0.0.5".

        The first word says what kind of program it is; the identifier is then "worker:host 7".
        """
        kind, _, which = name.partition(" ")
        identifier = f"{kind.lower()}:{which}" if which else name
        return cls(identifier=identifier[:_NAME_MAX], kind=ActorKind.PROGRAM, display_name=name[:_NAME_MAX])

    @classmethod
    def unverified(cls, name: str, *, sent_from: str | None = None) -> Self:
        """Return the person who gives this name, which nothing confirms.

        Args:
            name: what was typed, or where the request came from if no name was asked for.
            sent_from: where the name was typed, to be shown beside it.

        Raises:
            InputError: there is no name.
        """
        name = _cleaned(name)
        shown = f"{name} ({sent_from})" if sent_from else name
        return cls(identifier=f"unverified:{name}", kind=ActorKind.PERSON, display_name=shown)

    @classmethod
    def account(cls, account: str, name: str | None = None) -> Self:
        """Return the person who works under an account of the operating system.

        Args:
            account: its name.
            name: the person's own name, which nothing confirms; None shows the account.

        Raises:
            InputError: there is no name.
        """
        shown = _cleaned(account if name is None else name)
        return cls(identifier=f"account:{account[:_NAME_MAX]}", kind=ActorKind.PERSON, display_name=shown)


def _cleaned(name: str) -> str:
    name = " ".join(name.split())
    if not any(character.isalnum() for character in name):
        raise InputError("give the name of the person who does it")
    return name[:_NAME_MAX]
