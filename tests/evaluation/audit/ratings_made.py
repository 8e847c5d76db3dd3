"""Made-up ratings: one detector with probabilities that hold, and three readers in two tests."""

import numpy as np

from evaluation.audit.ratings import Observer, Rating, Ratings, gather

CASES = 400


def made_ratings(seed: int = 5, cases: int = CASES) -> list[Ratings]:
    random = np.random.default_rng(seed)
    chance = random.beta(0.6, 1.4, cases)
    truth = random.random(cases) < chance
    skill = {"alone": 1.0, "aided": 1.6}
    said = {("detector", ""): (chance, True)}
    for test, lead in skill.items():
        for reader in ("one", "two", "three"):
            said[test, reader] = (np.digitize(random.normal(size=cases) + lead * truth, [0, 1, 2]), False)
    return gather(
        Rating(
            observer=Observer(finding="mass", test=test, reader=reader),
            case=f"c{number}",
            patient=f"p{number // 2}",
            score=float(scores[number]),
            truth=bool(truth[number]),
            circumstances={"site": "<b>north</b>" if number % 4 < 2 else "south"},
            is_probability=is_probability,
        )
        for (test, reader), (scores, is_probability) in said.items()
        for number in range(cases)
    )
