"""Published weights read without running what the file says: a pickled module becomes plain tensors.

Of DenseNets the library publishes whole modules, whose unpickling runs whatever the file names. Here only
the classes that a DenseNet consists of are known to the unpickler, the library's own replaced by empty ones.
Of the ResNet it publishes the tensors alone.
"""

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.library_errors import as_model_error
from overread.errors import ModelError

_LIBRARY = "torchxrayvision.models"


class _Bare(nn.Module):
    """Stands for a class of the library: it holds what was pickled and can do nothing."""


class _DenseNet(_Bare):
    pass


class _DenseLayer(_Bare):
    pass


class _DenseBlock(_Bare):
    pass


class _Transition(_Bare):
    pass


_STAND_INS = (_DenseNet, _DenseLayer, _DenseBlock, _Transition)
_PARTS = (
    OrderedDict,
    set,
    nn.AvgPool2d,
    nn.BatchNorm2d,
    nn.Conv2d,
    nn.Linear,
    nn.MaxPool2d,
    nn.ReLU,
    nn.Sequential,
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a published file by the names that MONAI's networks give them.

    Takes the library's pickled DenseNet as well as the state of a network.

    Raises:
        ModelError: the file holds anything else.
    """
    names = ["DenseNet", "_DenseLayer", "_DenseBlock", "_Transition"]
    allowed: list[Any] = [
        *((part, f"{part.__module__}.{part.__qualname__}") for part in _PARTS),
        *((stand_in, f"{_LIBRARY}.{name}") for stand_in, name in zip(_STAND_INS, names, strict=True)),
    ]
    with (
        as_model_error(f"{path} holds no weights of TorchXRayVision", first_line=True),
        torch.serialization.safe_globals(allowed),
    ):
        content = torch.load(path, map_location="cpu", weights_only=True)
    state = content.state_dict() if isinstance(content, nn.Module) else content
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{path} holds no weights: it is neither a module nor the state of one")
    return {_renamed(name): value for name, value in state.items() if name != "op_threshs"}


def _renamed(name: str) -> str:
    name = name.removeprefix("module.")
    name = re.sub(r"(denselayer\d+)\.((?:norm|conv)\d)", r"\1.layers.\2", name)
    return re.sub(r"^classifier\.", "class_layers.out.", name)
