"""One command makes a shadow of weights that are published elsewhere."""

import hashlib

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from models.recording import verify  # noqa: E402
from models.registry import RegistryFile, Role  # noqa: E402
from models.torchxrayvision.convert import ARCHITECTURES  # noqa: E402
from models.torchxrayvision.published import find_set  # noqa: E402
from overread.command import main  # noqa: E402
from tests.models.torchxrayvision.material import set_statistics  # noqa: E402
from tests.models.torchxrayvision.serving import serving  # noqa: E402


@pytest.fixture
def page(tmp_path):
    """A folder with a file of the published name: the state of such a network, with random weights."""
    torch.manual_seed(5)
    network = ARCHITECTURES["densenet121"].build()
    set_statistics(network)
    (tmp_path / "page").mkdir()
    path = tmp_path / "page" / find_set("all").url.rpartition("/")[2]
    torch.save(network.state_dict(), path)
    return path


def test_weights_are_fetched_checked_converted_recorded_and_run_as_a_shadow(page, tmp_path, capsys) -> None:
    folder, registry = tmp_path / "models" / "xrv-all", tmp_path / "detectors.json"
    arguments = ["models", "adopt", "torchxrayvision", str(folder), "--detectors", str(registry)]
    with serving(page.parent) as address:
        arguments += ["--mirror", address]
        assert main(arguments) == 1  # these weights are others than those published
        assert "is another file than expected" in capsys.readouterr().err
        assert not registry.exists()
        sha256 = hashlib.sha256(page.read_bytes()).hexdigest()
        assert main([*arguments, "--sha256", sha256, "--who", "ada"]) == 0
    said = capsys.readouterr().out
    assert "SHA-256 as expected" in said
    assert f"overread gate {folder}" in said
    assert verify(folder).recorded
    (shadow,) = RegistryFile(path=registry).load().of(Role.SHADOW)
    assert shadow.release == str(folder)
    assert [change.who for change in RegistryFile(path=registry).load().history] == ["ada"]
    assert [path.name for path in folder.parent.iterdir()] == ["xrv-all"]  # the download is gone
