"""The first case of somebody who has never seen the page, by what is visible on it alone.

    python -m benchmarks.first_walk [--pictures FOLDER]

On the demonstration's cases, where the policy asks for an own read: signs in, claims the first case of the
list, opens it, changes the window, reads, commits, looks at the overlay, judges each discrepancy, scores, and
is done when the next case is open. Only words and keys that stand on the screen are used: where the page does
not say how to go on, it ends with status 1 and says where. Prints what was done in each step, and how long
Chromium and the service took. A person thinks and reads; those seconds are not in it.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.demo_desk import WAIT_SECONDS, demo_desk, keep_picture, look_through, settle
from benchmarks.viewer import chromium
from service.log import configure_logging
from tests.service.security.people import PASSWORD

_ON_SCREEN = """
const [selector, words] = arguments;
const tidy = (text) => text.replace(/\\s+/g, " ").trim();
const isSeen = (element) => {
  const { top, left, bottom, right, width, height } = element.getBoundingClientRect();
  const isOutside = bottom <= 0 || top >= innerHeight || right <= 0 || left >= innerWidth;
  if (width < 4 || height < 4 || isOutside) return false;
  const x = Math.min(Math.max((left + right) / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max((Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2, 0), innerHeight - 1);
  const there = document.elementFromPoint(x, y);
  return element.checkVisibility() && there !== null && (element.contains(there) || there.contains(element));
};
return Array.from(document.querySelectorAll(selector))
  .find((element) => tidy(element.innerText).startsWith(words) && isSeen(element)) ?? null;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the walk, when it was done."""

    words: str
    keys: int
    clicks: int
    typed: int  # characters, which only signing in and a finding ask for
    seconds: float  # until the page had followed


@dataclass(slots=True, kw_only=True)
class Walk:
    """Somebody in front of the page, who sees the screen and nothing else."""

    page: webdriver.Chrome
    picture: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    keys: int = 0
    clicks: int = 0
    typed: int = 0
    begun: float = 0.0

    def seen(self, selector: str, words: str = "") -> WebElement:
        """Return what stands on the screen with these words, as soon as it does.

        Raises:
            SystemExit: nothing on the screen says so.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := self.page.execute_script(_ON_SCREEN, selector, words)) is None:
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"step {len(self.steps) + 1}: the screen does not show {words or selector!r}"
                )
            time.sleep(0.02)
        shown: WebElement = found
        return shown

    def click(self, words: str, selector: str = "a, button, summary, label") -> None:
        """Click what the screen names so."""
        self.seen(selector, words).click()
        self.clicks += 1

    def press(self, key: str) -> None:
        """Press a key that the screen names."""
        self.seen("kbd", key)
        ActionChains(self.page).send_keys(Keys.ENTER if key == "Enter" else key).perform()
        self.keys += 1

    def type(self, label: str, text: str) -> None:
        """Type into the field with this label."""
        name = self.seen("label", label).get_attribute("for")
        self.page.find_element(By.ID, str(name)).send_keys(text)
        self.typed += len(text)

    def done(self, words: str, picture: str = "") -> None:
        """End a step: what was done since the one before."""
        settle(self.page)
        now = time.monotonic()
        step = Step(
            words=words, keys=self.keys, clicks=self.clicks, typed=self.typed, seconds=now - self.begun
        )
        self.steps.append(step)
        if picture:
            self.picture(picture)
        self.keys = self.clicks = self.typed = 0
        self.begun = time.monotonic()  # pictures are not the reader's time


def walk(page: webdriver.Chrome, address: str, picture: Callable[[str], None]) -> list[Step]:
    """Walk from the sign-in to the next case, and return the steps."""
    first = Walk(page=page, picture=picture, begun=time.monotonic())
    page.get(address)
    first.done("opens the address", "walk-1-sign-in")
    first.type("Name", "ada")
    first.type("Password", PASSWORD)
    first.click("Sign in", "button")
    first.seen("h1", "Worklist")
    first.done("signs in", "walk-2-list")
    first.click("Claim", "button")
    first.seen(".live", "Case ")
    first.done("claims the case at the top", "walk-3-claimed")
    page.find_element(By.CSS_SELECTOR, ".line.own a.row").click()
    first.clicks += 1
    first.seen("h2", "Your own read")
    first.done("opens it: image alone", "walk-4-own-read")
    first.press("w")
    first.done("changes the window", "walk-5-window")
    first.seen("form.judge select").send_keys("Lung mass")
    first.typed += len("Lung mass")
    first.clicks += 1
    first.click("Commit, then reveal", "button")
    first.seen("h2", "Your judgement")
    first.done("states a mass and commits: report and result are shown", "walk-6-revealed")
    first.press("o")
    first.seen("button", "Show overlay")
    first.done("hides the overlay", "walk-7-overlay-hidden")
    first.press("o")
    first.seen("button", "Hide overlay")
    _judge(first)
    here = page.current_url
    first.press("Enter")
    WebDriverWait(page, WAIT_SECONDS).until(lambda seen: seen.current_url != here)
    first.seen("h2", "Your own read")
    first.done("is done: the next case is open", "walk-9-next")
    return first.steps


def _judge(first: Walk) -> None:
    """Confirm the first discrepancy, be unsure of the others, and score."""
    for number in range(len(first.page.find_elements(By.CSS_SELECTOR, ".judging .flag"))):
        first.press("q" if number else "y")
    first.seen("legend", "RADPEER")
    first.press("5")
    first.done("shows it again, judges each discrepancy and scores", "walk-8-judged")


def tell(steps: list[Step]) -> None:
    """Print the steps and their sum."""
    for number, step in enumerate(steps, 1):
        print(
            f"{number:2}  {step.words:58} keys {step.keys:2}  clicks {step.clicks}  "
            f"characters {step.typed:2}  {step.seconds:5.1f} s"
        )
    print(
        f"    {len(steps)} steps: {sum(step.keys for step in steps)} keys, "
        f"{sum(step.clicks for step in steps)} clicks, {sum(step.typed for step in steps)} characters typed, "
        f"{sum(step.seconds for step in steps):.1f} s of page and service (n = 1)"
    )


def main() -> int:
    """Walk and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, help="a folder for a picture of each step")
    folder = parser.parse_args().pictures
    configure_logging(level=logging.WARNING)
    with demo_desk(asks_own_read=True) as (_, desk), chromium() as page:
        look_through(page)

        def picture(name: str) -> None:
            if folder is not None:
                keep_picture(page, folder / f"{name}.png")

        tell(walk(page, desk.url, picture))
    return 0


if __name__ == "__main__":
    sys.exit(main())
