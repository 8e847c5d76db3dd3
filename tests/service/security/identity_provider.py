"""A provider of OpenID Connect on a socket of this machine: code flow with PKCE, and signed ID tokens."""

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.service.material import NOW
from tests.service.web.listening import listening

CLIENT_ID = "overread"
CLIENT_SECRET = "a secret between the two"


def new_key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


@dataclass
class IdentityProvider:
    """What the provider knows and how it answers; a test changes it."""

    url: str = ""
    key: RSAKey = field(default_factory=lambda: new_key("first"))
    published: RSAKey | None = None  # in place of `key`
    user: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "248289761001",
            "preferred_username": "ada",
            "name": "Ada Lovelace",
            "groups": ["radiology", "everybody"],
        }
    )
    altered: dict[str, Any] = field(default_factory=dict)  # claims in place of the right ones; None: left out
    algorithm: str = "RS256"
    ends_sessions: bool = True
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked_for_keys: int = 0
    seen: list[dict[str, str]] = field(default_factory=list)  # what it was asked for, to sign in

    def about(self, _: Request) -> Response:
        """Answer with what it says of itself."""
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        if self.ends_sessions:
            found["end_session_endpoint"] = f"{self.url}/logout"
        return JSONResponse(found)

    def keys(self, _: Request) -> Response:
        """Answer with the public keys."""
        self.asked_for_keys += 1
        return JSONResponse(KeySet([self.published or self.key]).as_dict(private=False))

    def authorize(self, request: Request) -> Response:
        """Send the browser back with a code, as if its person had signed in."""
        given = dict(request.query_params)
        assert given["response_type"] == "code"
        assert given["code_challenge_method"] == "S256"
        self.seen.append(given)
        code = secrets.token_urlsafe(16)
        self.codes[code] = given
        answer = {"code": code, "state": given["state"], "iss": self.url}
        return RedirectResponse(f"{given['redirect_uri']}?{urlencode(answer)}")

    async def token(self, request: Request) -> Response:
        """Give an ID token for a code, once, to who shows the verifier and the secret."""
        form = await request.form()
        asked = self.codes.pop(str(form["code"]), None)
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        is_ours = request.headers["authorization"] == f"Basic {expected}"
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or not is_ours or asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        assert form["redirect_uri"] == asked["redirect_uri"]
        answer = {"access_token": "x", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])}
        return JSONResponse(answer)

    def id_token(self, nonce: str) -> str:
        """Return a signed token about the person."""
        now = int(NOW.timestamp())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.user,
        }
        claims = {name: value for name, value in (claims | self.altered).items() if value is not None}
        key = OctKey.import_key(CLIENT_SECRET) if self.algorithm == "HS256" else self.key
        header = {"alg": self.algorithm, "kid": self.key.kid}
        return jwt.encode(header, claims, key, algorithms=[self.algorithm])

    def logout_token(self, **altered: Any) -> str:
        """Return a token that tells a log-out; claims and `typ` in place of the right ones, None: none."""
        now = int(NOW.timestamp())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(8),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sub": self.user["sub"],
        }
        given = {name: value for name, value in (claims | altered).items() if value is not None}
        key = OctKey.import_key(CLIENT_SECRET) if self.algorithm == "HS256" else self.key
        header = {"alg": self.algorithm, "kid": self.key.kid, "typ": given.pop("typ", "logout+jwt")}
        return jwt.encode(header, given, key, algorithms=[self.algorithm])


@contextlib.contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """A provider on a free port."""
    provider = IdentityProvider()
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.about),
            Route("/keys", provider.keys),
            Route("/authorize", provider.authorize),
            Route("/token", provider.token, methods=["POST"]),
        ]
    )
    with listening(app) as provider.url:
        yield provider
