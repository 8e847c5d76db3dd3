"""Execution providers of ONNX Runtime: the best one installed, or the one that the installation names."""

from collections.abc import Mapping, Sequence

import onnxruntime  # type: ignore[import-untyped]  # it ships no types

from overread.errors import ConfigurationError

VARIABLE = "OVERREAD_PROVIDER"
CPU = "CPUExecutionProvider"
# The best first. Others that ONNX Runtime may list send the network elsewhere or need settings of their own.
PROVIDERS: Mapping[str, str] = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": CPU,
}


def asked_provider(environ: Mapping[str, str]) -> str | None:
    """Return which provider the installation asks for; None leaves the choice to what is there.

    Raises:
        ConfigurationError: `OVERREAD_PROVIDER` is none of `PROVIDERS`.
    """
    asked = environ.get(VARIABLE, "").strip().lower()
    if asked and asked not in PROVIDERS:
        raise ConfigurationError(f"{VARIABLE} is {asked!r}; it must be one of {', '.join(PROVIDERS)}")
    return asked or None


def providers_to_try(available: Sequence[str], asked: str | None) -> list[str]:
    """Return the execution providers in the order in which a session tries them; the CPU is always the last.

    Args:
        available: what ONNX Runtime was built with.
        asked: a key of `PROVIDERS`; None takes the best that is available.

    Raises:
        ConfigurationError: what is asked for is not available.
    """
    if asked is None:
        return [name for name in PROVIDERS.values() if name in available or name == CPU]
    if PROVIDERS[asked] not in available:
        raise ConfigurationError(
            f"{VARIABLE} asks for {asked}, which this ONNX Runtime lacks; it has {', '.join(available)}: "
            "install onnxruntime-gpu in place of onnxruntime, or ask for cpu"
        )
    return [PROVIDERS[asked]] if asked == "cpu" else [PROVIDERS[asked], CPU]


def remarks_on_provider(provider: str) -> tuple[str, ...]:
    """Return what to say of results that were not computed on the CPU: their last digits may differ."""
    return () if provider == CPU else (f"the network ran on {provider}",)


def start_session(
    network: bytes, *, threads: int, provider: str | None = None
) -> "onnxruntime.InferenceSession":
    """Return a session of the network on the best provider that works.

    Args:
        network: an ONNX model.
        threads: of one inference on the CPU.
        provider: a key of `PROVIDERS` that must be used; None takes the best.

    Raises:
        ConfigurationError: the provider that is asked for is not available or does not start.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    wanted = providers_to_try(onnxruntime.get_available_providers(), provider)
    session = onnxruntime.InferenceSession(network, options, providers=wanted)
    # ONNX Runtime falls back in silence where a provider is listed but its libraries or device are not there.
    used = session.get_providers()[0]
    if provider is not None and used != PROVIDERS[provider]:
        raise ConfigurationError(
            f"{VARIABLE} asks for {provider}, which does not start here (see ONNX Runtime's message): "
            "install its libraries and driver, or ask for cpu"
        )
    return session
