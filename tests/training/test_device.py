"""What training runs on: a GPU where there is one, the CPU everywhere else."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from overread.command import main  # noqa: E402
from overread.errors import ConfigurationError  # noqa: E402
from tests.training.material import write_nih  # noqa: E402
from training.datasets import read_nih  # noqa: E402
from training.folds import Workplace, choose_device, train_folds  # noqa: E402
from training.recipe import Settings  # noqa: E402

SETTINGS = replace(
    Settings(),
    side=64,
    views=1,
    epochs=2,
    folds=2,
    networks=Settings().networks[1:],
    batch_size=8,
    averaging=0.5,
)


@pytest.mark.parametrize(("found", "expected"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_taken_where_there_is_one(monkeypatch, found, expected) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    assert choose_device(None) == expected
    assert choose_device("cpu") == "cpu"


def test_a_gpu_that_is_not_there_is_refused_before_any_work(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="torch finds no CUDA device"):
        choose_device("cuda")
    write_nih(tmp_path / "data", patients=8)
    out = tmp_path / "out"
    assert main(["train", "--data", str(tmp_path / "data"), "--out", str(out), "--device", "cuda"]) == 1
    assert "leave --device out" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device and a build of torch for it")
def test_networks_trained_on_a_gpu_come_back_to_the_cpu(tmp_path) -> None:
    radiographs = read_nih(write_nih(tmp_path / "data", patients=16))
    place = Workplace(folder=tmp_path / "work", threads=1, device="cuda")
    trained = train_folds(radiographs, SETTINGS, place, lambda *_: None)
    assert {weights.device.type for weights in trained.networks[0].parameters()} == {"cpu"}
    assert len(trained.unseen.asked) == len(radiographs)
    on_cpu = train_folds(
        radiographs, SETTINGS, Workplace(folder=tmp_path / "other", threads=1), lambda *_: None
    ).views
    assert abs(trained.views.features.astype(float) - on_cpu.features.astype(float)).max() < 0.1
