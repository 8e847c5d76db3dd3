"""An ONNX file says what the network says, and nothing of the machine on which it was made."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from models.onnx_export import round_weights, write_onnx  # noqa: E402
from models.releases import RELEASES  # noqa: E402

SIDE = 32


def small_network() -> "torch.nn.Module":
    torch.manual_seed(1)
    layers = [torch.nn.Conv2d(1, 64, 5), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(3)]
    network = torch.nn.Sequential(*layers)
    network(torch.zeros(1, 1, SIDE, SIDE))
    return network.eval()


@pytest.mark.parametrize(("compact", "tolerance"), [(False, 1e-5), (True, 1e-2)])
def test_the_file_says_what_the_network_says_in_batches_of_any_size(tmp_path, compact, tolerance) -> None:
    network, path = small_network(), tmp_path / "network.onnx"
    write_onnx(network, path, side=SIDE, input_name="in", output_names=["out"], compact=compact)
    images = torch.rand(5, 1, SIDE, SIDE)
    said = onnxruntime.InferenceSession(path).run(["out"], {"in": images.numpy()})[0]
    with torch.inference_mode():
        np.testing.assert_allclose(said, network(images), atol=tolerance)


def test_compact_is_a_quarter_of_the_size(tmp_path) -> None:
    sizes = []
    for compact in (False, True):
        path = tmp_path / f"{compact}.onnx"
        write_onnx(small_network(), path, side=SIDE, input_name="in", output_names=["out"], compact=compact)
        sizes.append(path.stat().st_size)
    assert sizes[1] < 0.27 * sizes[0]


def test_rounded_weights_are_those_of_the_compact_file(tmp_path) -> None:
    network, path = small_network(), tmp_path / "network.onnx"
    with torch.no_grad():
        network[-1].weight[0] *= 1e6
        network[-1].weight[1] = 0
    images = torch.rand(1, 1, SIDE, SIDE)
    with torch.inference_mode():
        exact = network(images).numpy()
    write_onnx(network, path, side=SIDE, input_name="in", output_names=["out"], compact=True)
    said = onnxruntime.InferenceSession(path).run(["out"], {"in": images.numpy()})[0]
    # A weak output keeps its digits beside a strong one.
    np.testing.assert_allclose(said[:, 0], exact[:, 0], rtol=2e-2)
    np.testing.assert_allclose(said[:, 1:], exact[:, 1:], atol=1e-2)
    round_weights(network)
    with torch.inference_mode():
        np.testing.assert_allclose(said, network(images).numpy(), rtol=1e-4, atol=1e-5)


def test_a_matrix_that_is_no_layer_stays_whole(tmp_path) -> None:
    class Product(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("matrix", torch.rand(SIDE, 64) * torch.logspace(-6, 0, 64))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images[:, 0, 0] @ self.matrix

    network, path = Product().eval(), tmp_path / "network.onnx"
    write_onnx(network, path, side=SIDE, input_name="in", output_names=["out"], compact=True)
    images = torch.rand(2, 1, SIDE, SIDE)
    said = onnxruntime.InferenceSession(path).run(["out"], {"in": images.numpy()})[0]
    np.testing.assert_allclose(said, network(images).numpy(), rtol=1e-4)


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
