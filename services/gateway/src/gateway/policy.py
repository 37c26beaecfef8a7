"""What the policies read from the environment: passwords, limits, validation, middleware."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from common.config import FromJson, RotatingKey, Settings, Strong
from common.web.edge import host_name
from gateway.limits.domain import Kind


def _split(value: Any) -> Any:
    """``a, b`` is a list of two."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Listed = Annotated[tuple[str, ...], BeforeValidator(_split)]

Share = Annotated[float, Field(gt=0, le=1000)]


def _each(fits: Callable[[str], object], what: str) -> AfterValidator:
    """Refuses a list with something in it that is no ``what``."""

    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(fits(each) for each in value):
            raise ValueError(f"one of them is no {what}")
        return value

    return AfterValidator(check)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_host(text: str) -> bool:
    return host_name(f"[{text}]" if ":" in text else text) == text.lower()


_is_origin = re.compile(r"\*|https?://[^/\s]+").fullmatch


class PasswordSettings(Settings):
    """The documented password policy, and how passwords are kept."""

    security_min_password_length: int = Field(default=12, ge=1, le=200)
    security_require_uppercase: bool = True
    security_require_lowercase: bool = True
    security_require_digits: bool = True
    security_require_special: bool = True
    security_password_history: int = Field(default=5, ge=0, le=24)
    security_password_scheme: Literal["bcrypt_sha256", "argon2id"] = Field(default="bcrypt_sha256")
    security_argon2_memory_kib: int = Field(default=19 * 1024, ge=8 * 1024, le=1 << 20)
    security_argon2_passes: int = Field(default=2, ge=1, le=20)
    security_breached_passwords_file: Path | None = None


class ValidationSettings(Settings):
    """How long input and how large a file may be."""

    security_max_input_length: int = Field(default=10_000, ge=1, le=1_000_000)
    security_max_file_size_mb: int = Field(default=10, ge=1, le=1024)


class SecretSettings(Settings):
    """What ``/api/v2/security/encrypt`` encrypts with: the newest key, then former ones."""

    security_encryption_key: RotatingKey = SecretStr("")
    security_key_salt: Annotated[SecretStr, Strong(least=16)] = SecretStr("")


class EdgeSettings(Settings):
    """Who is believed about what at the edge, and how much is let in."""

    security_rate_shares: FromJson[Mapping[Kind, Share]] = Field(default_factory=dict)
    security_hsts: int = Field(default=31_536_000, ge=0, description="seconds; 0 sends none")
    strongroom_trusted_proxies: Annotated[Listed, _each(_is_network, "address or network")] = ()
    strongroom_allowed_hosts: Annotated[Listed, _each(_is_host, "name without port")] = ()
    strongroom_cors_origins: Annotated[
        Listed, _each(_is_origin, "site like https://till.example.com")
    ] = ()


class PolicySettings(PasswordSettings, ValidationSettings, SecretSettings, EdgeSettings):
    """All of them."""
