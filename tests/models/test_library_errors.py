import pytest

from models.library_errors import as_model_error
from overread.errors import ConfigurationError, ModelError


@pytest.mark.parametrize(
    ("raised", "first_line", "said"),
    [
        (RuntimeError("no such shape"), False, "a.onnx cannot be loaded: no such shape"),
        (KeyError("size"), False, "a.onnx cannot be loaded: 'size'"),
        (ValueError("two\nlines"), False, "a.onnx cannot be loaded: two\nlines"),
        (ValueError("two\nlines"), True, "a.onnx cannot be loaded: two"),
        (AssertionError(), True, "a.onnx cannot be loaded: AssertionError"),
    ],
)
def test_what_a_library_raises_is_a_model_error(raised: Exception, first_line: bool, said: str) -> None:
    with (
        pytest.raises(ModelError) as caught,
        as_model_error("a.onnx cannot be loaded", first_line=first_line),
    ):
        raise raised

    assert str(caught.value) == said
    assert caught.value.__cause__ is raised


def test_an_error_of_our_own_passes() -> None:
    with pytest.raises(ConfigurationError, match="OVERREAD_PROVIDER"), as_model_error("not loaded"):
        raise ConfigurationError("OVERREAD_PROVIDER is wrong")
