"""A language model behind an OpenAI-compatible endpoint, usually one on the same machine."""

import http.client
import json
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from overread.errors import ConfigurationError, OutOfResourcesError
from overread.observation import ObserverIdentity

_LONGEST_ANSWER = 1_000_000  # bytes
_NO_ANSWER = (ValueError, KeyError, IndexError, TypeError, RecursionError)  # where one is taken apart


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """Address of the model and the longest wait. Report text goes to this address and nowhere else."""

    url: str  # such as http://127.0.0.1:8000/v1
    model: str
    api_key: str = field(default="", repr=False)
    timeout_seconds: float = 20.0


class ChatEndpoint:
    """Completes prompts by POST /chat/completions; an `overread.report.reread.LanguageModel`.

    Redirects are not followed and no proxy is used: text reaches only the host that the settings name.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        """Check the address.

        Raises:
            ConfigurationError: the address is not an http or https URL with a host.
        """
        parts = urlsplit(settings.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("the language model's address is not an http(s) URL with a host")
        self._settings = settings
        self._parts = parts

    @property
    def identity(self) -> ObserverIdentity:
        """The model's name as configured."""
        return ObserverIdentity(name=self._settings.model, version="openai-compatible")

    def complete(self, instructions: str, text: str) -> str:
        """Return the model's answer at temperature 0.

        Raises:
            OutOfResourcesError: it cannot be reached, is too slow, or answers nothing usable.
        """
        body = {
            "model": self._settings.model,
            "temperature": 0,
            "response_format": {"type": "json_object"},
            "messages": [{"role": "system", "content": instructions}, {"role": "user", "content": text}],
        }
        try:
            status, answer = self._post(json.dumps(body).encode())
            if status != http.client.OK:
                raise OutOfResourcesError(f"the language model answered with HTTP status {status}")
            content = json.loads(answer)["choices"][0]["message"]["content"]
        except (OSError, http.client.HTTPException, *_NO_ANSWER) as error:
            raise OutOfResourcesError(
                f"the language model gave no answer ({type(error).__name__})"
            ) from error
        if not isinstance(content, str):
            raise OutOfResourcesError("the language model answered without text")
        return content

    def _post(self, body: bytes) -> tuple[int, bytes]:
        connection = self._connection()
        headers = {"Content-Type": "application/json"}
        if self._settings.api_key:
            headers["Authorization"] = f"Bearer {self._settings.api_key}"
        try:
            connection.request("POST", self._parts.path.rstrip("/") + "/chat/completions", body, headers)
            response = connection.getresponse()
            return response.status, response.read(_LONGEST_ANSWER)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port, wait = str(self._parts.hostname), self._parts.port, self._settings.timeout_seconds
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=wait, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=wait)
