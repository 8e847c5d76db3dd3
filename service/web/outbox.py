"""Results and notices that do not leave, in words for whoever looks after the service."""

from datetime import datetime, timedelta

from service.store.database import Store
from service.store.outbox import Content, DeliveryState, OutboxFigure, outbox_figures

_LATE = timedelta(minutes=15)  # far more than a destination that is there takes


def outbox_words(store: Store, *, now: datetime) -> tuple[str, ...]:
    """Return a sentence for each destination that is late or refuses; none where results leave.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    found = (_words(figure, now) for figure in outbox_figures(store))
    return tuple(words for words in found if words)


def _words(figure: OutboxFigure, now: datetime) -> str:
    command = f"overread {figure.content.value}"
    things = "results" if figure.content is Content.RESULT else "messages"
    if figure.state is DeliveryState.GIVEN_UP:
        return (
            f"{figure.count} {things} for {figure.destination} were given up: see `{command} list`, "
            f"then `{command} replay --given-up`"
        )
    if now - figure.oldest_asked_at < _LATE:
        return ""
    minutes = int((now - figure.oldest_asked_at).total_seconds() // 60)
    return (
        f"{figure.count} {things} wait for {figure.destination}, the oldest for {minutes} min: "
        f"`{command} list` says why"
    )
