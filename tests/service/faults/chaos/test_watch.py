from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from tests.service.faults.chaos.watch import Conditions, Watch, percentile_99
from tests.service.waiting import eventually


def test_an_answer_is_untrue_only_if_something_was_wrong_from_question_to_answer() -> None:
    conditions = Conditions(past=[("disk full", 10.0, 20.0)], present={"database": 30.0})

    assert conditions.during(11.0, 12.0) == ["disk full"]
    assert conditions.during(9.0, 12.0) == []
    assert conditions.during(19.0, 21.0) == []
    assert conditions.during(31.0, 32.0) == ["database"]


def test_what_is_put_right_is_past() -> None:
    conditions = Conditions()
    with conditions.wrong("disk full"):
        assert list(conditions.present) == ["disk full"]

    assert conditions.present == {}
    assert [what for what, *_ in conditions.past] == ["disk full"]


def test_the_99th_percentile_of_a_hundred_and_one_is_the_hundredth() -> None:
    assert percentile_99([float(number) for number in range(101)]) == 99.0
    assert percentile_99([]) == 0.0


def test_a_page_that_waits_for_a_start_of_the_whole_is_told_apart() -> None:
    starts, over = iter([1, 1, 1, 2, 2, 2, 2, 2, 2]), Event()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    watch = Watch(api="", pid=lambda: 0, starts=lambda: next(starts, 2), conditions=Conditions(), over=over)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        watch.api = f"http://127.0.0.1:{server.server_port}"
        asking = Thread(target=watch._ask_for_pages, daemon=True)
        asking.start()
        eventually(lambda: len(watch.answers) >= 4)
        over.set()
        asking.join()
        server.shutdown()

    # The first has none before it; the second was asked under the first start and answered under the next.
    assert len(watch.answers_between_starts) == len(watch.answers) - 2
