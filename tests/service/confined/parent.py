"""A parent of its own, for tests that kill it: says the number of its child, which is busy from then on."""

import sys
import threading

from service.confined.confined import Confined
from tests.service.confined.tenants import AMPLE, Tenant


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main() -> None:
    confined = Confined(Tenant, what="the test")
    confined.start()
    say(confined.pid)
    if sys.argv[1:] == ["from a thread that ends"]:
        caller = threading.Thread(target=confined.call, args=(AMPLE, Tenant.count))
        caller.start()
        caller.join()
        say(confined.call(AMPLE, Tenant.count), confined.pid)
    confined.call(AMPLE, Tenant.spin)


if __name__ == "__main__":
    main()
