"""OpenID Connect: people who sign in at a provider of their own house (code flow with PKCE).

What comes back is held to OpenID Connect Core 1.0 section 3.1.3.7 (ID token), RFC 7636 (PKCE) and RFC 9207
(issuer in the answer). State, nonce and verifier lie in a cookie of the browser that began, so that nobody
else can end it.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from overread.errors import InputError, OutOfResourcesError
from service.security.settings import SecuritySettings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
"""Signatures that are taken: none that somebody with the public key could make."""

_TIMEOUT_SECONDS = 10.0
_ASKED_MAX, _ASKING_SECONDS = 10, 60.0  # how often the keys are fetched, at most, within so long
_REFUSED = "the provider's answer cannot be used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What a browser keeps between leaving for the provider and coming back."""

    state: str
    nonce: str
    verifier: str
    wanted: str = ""  # address of ours that it was about to open

    @classmethod
    def new(cls, wanted: str) -> "Handshake":
        """Return one that nobody can guess."""
        return cls(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            wanted=wanted,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """Somebody whom the provider has confirmed."""

    issuer: str
    subject: str  # which never changes, and is nobody else's
    name: str
    display_name: str
    groups: frozenset[str]
    id_token: str
    session: str | None = None  # of the provider; None where it names none


class Provider:
    """The provider of an installation; what it says of itself is fetched when it is first needed."""

    def __init__(self, settings: SecuritySettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._asked: list[float] = []  # when the keys were fetched, by a steady clock

    def address_to_sign_in(self, handshake: Handshake, redirect_uri: str) -> str:
        """Return where a browser is sent to sign in.

        Raises:
            OutOfResourcesError: the provider does not answer.
        """
        with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                self._place("authorization_endpoint"),
                state=handshake.state,
                code_verifier=handshake.verifier,
                nonce=handshake.nonce,
            )
        return str(address)

    def confirm(
        self, answer: Mapping[str, str], handshake: Handshake, redirect_uri: str, *, now: float
    ) -> Confirmed:
        """Return who signed in.

        Args:
            answer: the parameters with which the browser came back.
            handshake: with which it left.
            redirect_uri: where it came back to.
            now: seconds since 1970.

        Raises:
            InputError: it is no answer to this handshake, or says nothing that could be believed.
            OutOfResourcesError: the provider does not answer.
        """
        issuer = self._issuer
        if not hmac.compare_digest(answer.get("state", "").encode(), handshake.state.encode()):
            raise InputError("the sign-in was not begun in this browser, or too long ago; begin again")
        if answer.get("iss", issuer) != issuer:
            raise InputError(_REFUSED)
        if "code" not in answer:
            raise InputError("the provider did not let you in")
        try:
            with self._client(redirect_uri) as client:
                given = client.fetch_token(
                    self._place("token_endpoint"), code=answer["code"], code_verifier=handshake.verifier
                )
        except AuthlibBaseError as error:
            raise InputError(f"{_REFUSED}; begin again") from error
        except (requests.RequestException, ValueError) as error:
            raise OutOfResourcesError(
                "the provider of identities does not answer; try again later"
            ) from error
        return self._checked(str(given.get("id_token", "")), handshake, now=now)

    def address_to_sign_out(self, id_token: str, back: str) -> str | None:
        """Return where a browser signs out at the provider too (RP-Initiated Logout 1.0); None: nowhere.

        Raises:
            OutOfResourcesError: the provider does not answer.
        """
        place = self._about().get("end_session_endpoint")
        if not isinstance(place, str):
            return None
        given = {
            "id_token_hint": id_token,
            "client_id": self._settings.oidc_client_id or "",
            "post_logout_redirect_uri": back,
        }
        return f"{place}{'&' if '?' in place else '?'}{urlencode(given)}"

    def _checked(self, id_token: str, handshake: Handshake, *, now: float) -> Confirmed:
        _, claims = self.checked_token(id_token)
        client_id = self._settings.oidc_client_id or ""
        registry = jwt.JWTClaimsRegistry(
            now=int(now),
            leeway=int(self._settings.oidc_skew_seconds),
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": handshake.nonce},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise InputError(f"{_REFUSED} ({error.error}); begin again") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else client_id) != client_id:
            raise InputError(_REFUSED)
        return self._confirmed(claims, id_token)

    def _confirmed(self, claims: dict[str, Any], id_token: str) -> Confirmed:
        groups = claims.get(self._settings.oidc_groups_claim, ())
        found = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
        return Confirmed(
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            name=name,
            display_name=str(claims.get("name") or name),
            groups=frozenset(group for group in found if isinstance(group, str)),
            id_token=id_token,
            session=claims["sid"] if isinstance(claims.get("sid"), str) else None,
        )

    def checked_token(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return header and claims of a token of the provider; its signature alone is checked.

        New keys of the provider are fetched once.

        Raises:
            InputError: the signature is not the provider's.
            OutOfResourcesError: the provider does not answer.
        """
        for is_last, keys in ((False, self._known_keys()), (True, None)):
            try:
                found = jwt.decode(token, keys or self._fetched_keys(), algorithms=list(ALGORITHMS))
            except (JoseError, ValueError) as error:
                if is_last:
                    raise InputError(f"{_REFUSED} (signature); begin again") from error
            else:
                return dict(found.header), dict(found.claims)
        raise InputError(_REFUSED)

    @property
    def _issuer(self) -> str:
        return self._settings.oidc_issuer or ""

    def _client(self, redirect_uri: str) -> Any:
        client = OAuth2Session(
            client_id=self._settings.oidc_client_id,
            client_secret=self._settings.oidc_client_secret,
            scope=" ".join(self._settings.oidc_scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._settings.oidc_client_secret else "none",
            default_timeout=_TIMEOUT_SECONDS,
        )
        client.trust_env = False  # the same way on every machine, and no credentials of a .netrc file
        return client

    def _place(self, name: str) -> str:
        place = self._about().get(name)
        if not isinstance(place, str):
            raise OutOfResourcesError(f"the provider of identities names no {name}")
        return place

    def _about(self) -> dict[str, Any]:
        """Return what the provider says of itself (OpenID Connect Discovery 1.0 section 4)."""
        with self._lock:
            if self._metadata is None:
                issuer = self._issuer
                found = self._fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != issuer:
                    raise OutOfResourcesError(
                        "the provider of identities calls itself otherwise than OVERREAD_OIDC_ISSUER"
                    )
                self._metadata = found
            return self._metadata

    def _known_keys(self) -> KeySet:
        return self._keys or self._fetched_keys()

    def _fetched_keys(self) -> KeySet:
        """Return the keys as the provider has them now; strangers cannot make us ask for them without end."""
        now = time.monotonic()
        with self._lock:
            self._asked = [at for at in self._asked if now - at < _ASKING_SECONDS]
            if len(self._asked) >= _ASKED_MAX and self._keys is not None:
                return self._keys
            self._asked.append(now)
        try:
            self._keys = KeySet.import_key_set(self._fetched(self._place("jwks_uri")))  # type: ignore[arg-type]
        except JoseError as error:
            raise OutOfResourcesError("the keys of the provider of identities cannot be read") from error
        return self._keys

    def _fetched(self, address: str) -> dict[str, Any]:
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(address, timeout=_TIMEOUT_SECONDS)
                answer.raise_for_status()
                found = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise OutOfResourcesError(
                "the provider of identities does not answer; try again later"
            ) from error
        if not isinstance(found, dict):
            raise OutOfResourcesError("the provider of identities does not answer as it should")
        return found
