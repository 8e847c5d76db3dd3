"""The best execution provider is taken, or the one that is asked for, and nothing falls back in silence."""

import onnxruntime
import pytest

from models.onnx_detector import OnnxDetector
from models.providers import CPU, asked_provider, providers_to_try, remarks_on_provider, start_session
from overread.errors import ConfigurationError
from tests.models.tiny_release import write_tiny_release

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"


@pytest.mark.parametrize(
    ("available", "asked", "tried"),
    [
        ([CPU], None, [CPU]),
        ([CUDA, CPU], None, [CUDA, CPU]),
        ([CUDA, TENSORRT, CPU], None, [TENSORRT, CUDA, CPU]),
        (["AzureExecutionProvider", CPU], None, [CPU]),  # that one sends images to somebody else's machine
        ([CUDA, TENSORRT, CPU], "cuda", [CUDA, CPU]),
        ([CUDA, TENSORRT, CPU], "cpu", [CPU]),
    ],
)
def test_the_best_provider_comes_first_unless_another_is_asked_for(available, asked, tried) -> None:
    assert providers_to_try(available, asked) == tried


def test_a_provider_that_is_not_installed_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="install onnxruntime-gpu"):
        providers_to_try([CPU], "cuda")


def test_the_installation_asks_by_a_variable() -> None:
    assert asked_provider({}) is None
    assert asked_provider({"OVERREAD_PROVIDER": " CUDA "}) == "cuda"
    with pytest.raises(ConfigurationError, match="tensorrt, cuda, cpu"):
        asked_provider({"OVERREAD_PROVIDER": "quantum"})


def test_a_session_runs_where_it_was_asked_to(tmp_path) -> None:
    network = (write_tiny_release(tmp_path / "tiny") / "network.onnx").read_bytes()
    assert start_session(network, threads=1, provider="cpu").get_providers() == [CPU]


def test_the_detector_says_where_its_network_runs(tmp_path) -> None:
    detector = OnnxDetector(write_tiny_release(tmp_path / "tiny"))
    assert detector.provider in onnxruntime.get_available_providers()


def test_a_result_says_where_it_was_computed_unless_on_the_cpu() -> None:
    assert remarks_on_provider(CPU) == ()
    assert remarks_on_provider(CUDA) == ("the network ran on CUDAExecutionProvider",)
