"""The clock of the room: what gives the aware time."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
