"""An ONNX file says what the network says, and nothing of the machine on which it was made."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from models.onnx_export import write_onnx  # noqa: E402
from models.releases import RELEASES  # noqa: E402

SIDE = 32


def small_network() -> "torch.nn.Module":
    torch.manual_seed(1)
    layers = [torch.nn.Conv2d(1, 64, 5), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(3)]
    network = torch.nn.Sequential(*layers)
    network(torch.zeros(1, 1, SIDE, SIDE))
    return network.eval()


@pytest.mark.parametrize(("half_size", "tolerance"), [(False, 1e-5), (True, 1e-3)])
def test_the_file_says_what_the_network_says_in_batches_of_any_size(tmp_path, half_size, tolerance) -> None:
    network, path = small_network(), tmp_path / "network.onnx"
    write_onnx(network, path, side=SIDE, input_name="in", output_names=["out"], half_size=half_size)
    images = torch.rand(5, 1, SIDE, SIDE)
    said = onnxruntime.InferenceSession(path).run(["out"], {"in": images.numpy()})[0]
    with torch.inference_mode():
        np.testing.assert_allclose(said, network(images), atol=tolerance)


def test_half_the_size_is_half_the_size(tmp_path) -> None:
    sizes = []
    for half_size in (False, True):
        path = tmp_path / f"{half_size}.onnx"
        write_onnx(
            small_network(), path, side=SIDE, input_name="in", output_names=["out"], half_size=half_size
        )
        sizes.append(path.stat().st_size)
    assert sizes[1] < 0.52 * sizes[0]


def test_weights_too_large_for_half_the_size_stay_whole(tmp_path) -> None:
    network, path = small_network(), tmp_path / "network.onnx"
    with torch.no_grad():
        network[-1].weight[0, 0] = 1e6
    write_onnx(network, path, side=SIDE, input_name="in", output_names=["out"], half_size=True)
    images = torch.rand(1, 1, SIDE, SIDE)
    said = onnxruntime.InferenceSession(path).run(["out"], {"in": images.numpy()})[0]
    with torch.inference_mode():
        np.testing.assert_allclose(said, network(images), rtol=1e-3)


def test_the_file_names_no_file_of_the_machine(tmp_path) -> None:
    path = tmp_path / "network.onnx"
    write_onnx(small_network(), path, side=SIDE, input_name="in", output_names=["out"])
    assert not names_files(path)


def test_no_release_names_a_file_of_the_machine() -> None:
    released = sorted(RELEASES.rglob("*.onnx"))
    assert released
    assert not [path for path in released if names_files(path)]


def names_files(path: Path) -> bool:
    # Long enough that no weights spell them by chance.
    return any(word in path.read_bytes() for word in (b'.py", line', b"site-packages", b"/home/", b"/tmp/"))
