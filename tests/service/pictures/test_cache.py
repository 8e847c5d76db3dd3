"""Pictures that are kept in memory: which go, and when."""

from service.pictures.cache import SECONDS_KEPT, PictureCache


class Clock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_what_was_not_used_for_longest_makes_room() -> None:
    cache = PictureCache(10, Clock())
    for name in ("a", "b"):
        cache.put(name, b"12345", sha256=name)
    assert cache.get("a") == b"12345"

    cache.put("c", b"123", sha256="c")

    assert [cache.get(name) for name in "abc"] == [b"12345", None, b"123"]
    assert cache.size_bytes == 8


def test_a_picture_put_again_counts_once_and_one_that_is_too_large_is_not_kept() -> None:
    cache = PictureCache(10, Clock())
    cache.put("a", b"1234567890", sha256="a")
    cache.put("a", b"123456789", sha256="a")
    assert cache.size_bytes == 9

    cache.put("b", b"12345678901", sha256="b")

    assert (cache.get("a"), cache.get("b")) == (b"123456789", None)


def test_nothing_is_kept_where_there_is_no_room() -> None:
    cache = PictureCache(0, Clock())
    cache.put("a", b"1", sha256="a")
    assert cache.get("a") is None


def test_a_picture_stays_for_a_time_however_often_it_is_used() -> None:
    clock = Clock()
    cache = PictureCache(10, clock)
    cache.put("a", b"1", sha256="a")
    clock.seconds = SECONDS_KEPT - 1
    assert cache.get("a") == b"1"

    clock.seconds = SECONDS_KEPT

    assert cache.get("a") is None
    assert cache.size_bytes == 0


def test_every_picture_of_an_image_is_forgotten_with_it() -> None:
    cache = PictureCache(10, Clock())
    for name, sha256 in (("a 1", "a"), ("a 2", "a"), ("b 1", "b")):
        cache.put(name, b"1", sha256=sha256)

    cache.forget("a")

    assert [cache.get(name) for name in ("a 1", "a 2", "b 1")] == [None, None, b"1"]
