"""What looks unlike the training radiographs is told by numbers that were learnt from other patients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from training.unusual import average, learn_usual  # noqa: E402
from training.views import Views  # noqa: E402


def views(count: int) -> Views:
    random = np.random.default_rng(0)
    features = random.normal(size=(2, count, 3, 4, 4)).astype(np.float16)
    return Views(features=features, transforms=np.zeros((2, count, 2, 3), np.float32))


def test_images_of_the_same_kind_are_usual_and_shifted_ones_are_not() -> None:
    usual = learn_usual(views(400), np.arange(400) % 4)
    random = torch.Generator().manual_seed(1)
    same = torch.randn(200, 3, 4, 4, generator=random)
    familiarity = usual.familiarity("unusual", "some")
    shares = [familiarity.out_of_distribution(float(value)) for value in usual.distance(same)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.07)  # neither more nor less usual than what was learnt
    assert float(usual.distance(same).mean()) == pytest.approx(1, abs=0.2)
    foreign = usual.distance(same + 2)
    assert all(familiarity.out_of_distribution(float(value)) == 1 for value in foreign)


def test_the_average_is_over_quarters() -> None:
    features = torch.zeros(1, 1, 4, 4)
    features[0, 0, :2, 2:] = 4.0
    assert average(features).tolist() == [[0, 4, 0, 0]]
