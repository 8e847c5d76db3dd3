"""The settings of who may enter."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, model_validator

from overread.errors import InputError
from service.network_settings import Networks, is_loopback
from service.security.roles import Role, roles_named
from service.settings_sources import SPLIT_PAIRS, SPLIT_WORDS, SettingsModel, setting, split_pairs


def _group_roles(value: object) -> object:
    pairs = split_pairs(value)
    if not isinstance(pairs, dict):
        return pairs
    try:
        return {str(group): next(iter(roles_named([str(role)]))) for group, role in pairs.items()}
    except InputError as error:
        raise ValueError(str(error)) from None


class SecuritySettings(SettingsModel):
    """Settings of names, sessions and identities from elsewhere."""

    table: ClassVar[str] = "security"

    host_names: Annotated[tuple[str, ...], SPLIT_WORDS] = setting(
        (),
        meaning="names by which others address this service, such as overread.example.org; the names of this "
        "machine always count, and so do addresses in numbers where it listens to other machines",
        default_words="none",
    )
    proxies: Networks = setting(
        (),
        meaning="addresses of the reverse proxies in front of this service, whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed",
        default_words="this machine's own",
    )
    session_idle_minutes: float = setting(
        60.0, meaning="a session that is not used for so long ends", unit="min", ge=1, le=60 * 24
    )
    session_hours: float = setting(
        12.0, meaning="a session ends after so long, however much it is used", unit="h", ge=0.1, le=24 * 7
    )
    proxy_user_header: str | None = setting(
        meaning="header in which a reverse proxy names who it has signed in, such as X-Forwarded-User; it is "
        "believed from the addresses in proxies alone, which must be named then",
        default_words="none",
    )
    proxy_groups_header: str | None = setting(
        meaning="header with the groups of that person, separated by commas",
        default_words="the roles of the account count",
    )
    group_roles: Annotated[Mapping[str, Role], BeforeValidator(_group_roles)] = setting(
        dict,
        meaning="role that a group of a proxy or provider gives, such as radiology=second-reader; a group "
        "that is not named gives none",
        default_words="none",
    )
    group_sites: Annotated[Mapping[str, str], SPLIT_PAIRS] = setting(
        dict,
        meaning="site to which a group of a proxy or provider binds, such as north-radiology=north, or * for "
        "every site; whoever has no group that is named sees no case then",
        default_words="nobody is bound by groups",
    )
    oidc_issuer: str | None = setting(
        meaning="address of a provider of OpenID Connect, such as https://login.example.org/realms/hospital",
        default_words="none",
    )
    oidc_client_id: str | None = setting(
        meaning="name under which the provider knows this service", default_words="none"
    )
    oidc_client_secret: str | None = setting(
        meaning="secret of this service at the provider", default_words="none", secret=True
    )
    oidc_scopes: Annotated[tuple[str, ...], SPLIT_WORDS] = setting(
        ("openid", "profile"), meaning="what the provider is asked for; openid is one of it"
    )
    oidc_groups_claim: str = setting("groups", meaning="claim of the ID token that lists groups")
    oidc_skew_seconds: float = setting(
        60.0, meaning="how far the provider's clock may be off", unit="s", ge=0, le=600
    )

    @model_validator(mode="after")
    def _check_proxy(self) -> Self:
        if self.proxy_user_header and not self.proxies:
            raise ValueError("OVERREAD_PROXIES must name whose OVERREAD_PROXY_USER_HEADER is believed")
        if self.proxy_groups_header and not self.proxy_user_header:
            raise ValueError("OVERREAD_PROXY_GROUPS_HEADER needs OVERREAD_PROXY_USER_HEADER")
        return self

    @model_validator(mode="after")
    def _check_provider(self) -> Self:
        if self.oidc_issuer is None:
            return self
        parts = urlsplit(self.oidc_issuer)
        is_near = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not (parts.scheme == "https" and parts.hostname) and not is_near:
            raise ValueError("OVERREAD_OIDC_ISSUER must be an https address")
        if not self.oidc_client_id:
            raise ValueError("OVERREAD_OIDC_CLIENT_ID is missing: the provider asks who wants to know")
        if not self.group_roles:
            raise ValueError(
                "OVERREAD_GROUP_ROLES is missing: nobody who signs in at the provider had a role"
            )
        return self
