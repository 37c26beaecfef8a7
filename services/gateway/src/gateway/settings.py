"""What the gateway reads from its environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from common.config import TEN_YEARS, FromJson, RepositorySettings, ServiceSettings, Settings
from gateway.policy import PolicySettings

Minutes = Annotated[int, Field(ge=1, le=TEN_YEARS // 60)]
Times = Annotated[int, Field(ge=1, le=1_000_000)]


class IdentitySettings(ServiceSettings, PolicySettings):
    """Sessions, lockout and rate limits; times are minutes, as documented."""

    security_session_timeout: Minutes = 30
    security_session_lifetime: Minutes = 720
    security_step_up_minutes: Minutes = 5
    security_max_sessions: Times = 3
    security_max_login_attempts: Times = 5
    security_lockout_duration: Minutes = 15
    security_max_requests_per_minute: int = Field(default=60, ge=1)
    security_max_requests_per_hour: int = Field(default=1000, ge=1)
    security_bcrypt_rounds: int = Field(default=12, ge=10, le=16)
    strongroom_admin_password: SecretStr = SecretStr("")
    gateway_public_url: str = Field(default="http://localhost:8000", pattern=r"^https?://[^/]+/?$")


class OidcSettings(Settings):
    """Login by a provider of OpenID Connect; off without an issuer.

    ``gateway_oidc_group_roles`` is JSON, from groups of the provider to roles here. With
    ``gateway_oidc_trusts_mfa`` the provider's word that there was a second factor is taken.
    """

    gateway_oidc_issuer: str = Field(default="", pattern=r"^(https?://\S+)?$")
    gateway_oidc_client_id: str = ""
    gateway_oidc_client_secret: SecretStr = SecretStr("")
    gateway_oidc_scopes: str = "openid profile"
    gateway_oidc_name_claim: str = "preferred_username"
    gateway_oidc_groups_claim: str = "groups"
    gateway_oidc_group_roles: FromJson[dict[str, str]] = Field(default_factory=dict)
    gateway_oidc_trusts_mfa: bool = False


class GatewaySettings(OidcSettings, IdentitySettings, RepositorySettings):
    """Where the API answers, and what it shows of the repository's configuration.

    With ``gateway_tls_certificate`` (a PEM file with the whole chain) and ``gateway_tls_key`` it
    answers by HTTPS alone. ``gateway_station`` is the station of a request that names none.
    """

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8000, ge=0, le=65535)
    gateway_tls_certificate: Path | None = None
    gateway_tls_key: Path | None = None
    gateway_max_request_bytes: int = Field(default=1 << 20, ge=1024)
    gateway_station: str = Field(default="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")
