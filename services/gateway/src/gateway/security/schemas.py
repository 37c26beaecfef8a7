"""What the security endpoints take and answer, under the documented names."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from gateway.validation.patterns import Threat

MOST_TEXT = 1_000_000
Purpose = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
EXAMPLE_TOKEN = "gAAAAABlpQ8o…"  # noqa: S105 - an example


class PasswordRequest(BaseModel):
    """A password to judge; with a user's name it must not contain that."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": "MySecurePassword123!"}]}
    )

    password: SecretStr = Field(max_length=10_000)
    user_name: str = Field(default="", max_length=200)


class PasswordReport(BaseModel):
    """What is wrong with a password; the score goes from 0 to 100."""

    valid: bool
    errors: list[str] = Field(examples=[[]])
    warnings: list[str] = Field(examples=[[]])
    strength_score: int = Field(ge=0, le=100, examples=[85])


class InputRequest(BaseModel):
    """Text to look at; ``max_length`` may be shorter than the server's, not longer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"input_data": "User input to validate", "max_length": 1000}]
        }
    )

    input_data: str = Field(max_length=MOST_TEXT)
    max_length: int | None = Field(default=None, ge=1, le=MOST_TEXT)


class InputReport(BaseModel):
    """What is wrong with a text, and what attacks it looks like. It was not changed."""

    valid: bool
    errors: list[str] = Field(examples=[["Suspicious content detected"]])
    warnings: list[str] = Field(examples=[[]])
    threats: list[Threat] = Field(examples=[["xss"]])
    length: int = Field(examples=[22])


class SanitizeRequest(BaseModel):
    """Text to make harmless."""

    input_data: str = Field(max_length=MOST_TEXT, examples=["<b>Hello</b><script>x</script>"])


class Sanitized(BaseModel):
    """Harmless HTML: formatting stays. ``changed`` says whether anything was taken out."""

    sanitized: str = Field(examples=["<b>Hello</b>"])
    changed: bool


class FileReport(BaseModel):
    """What is wrong with a file."""

    valid: bool
    errors: list[str] = Field(examples=[["File content does not match its extension"]])
    warnings: list[str] = Field(examples=[[]])
    filename: str = Field(examples=["document.pdf"])
    file_size: int = Field(examples=[1024000])
    detected_type: str = Field(examples=["application/pdf"])


class TokenRequest(BaseModel):
    """How many letters and digits the token is to have."""

    length: int = Field(default=64, ge=32, le=256)


class Token(BaseModel):
    """A random token. It is stored nowhere."""

    token: str = Field(examples=["k3JcX0qv9RZt2nLw…"])
    length: int = Field(examples=[64])


class ApiKeyRequest(BaseModel):
    """What the key begins with, to tell keys apart."""

    prefix: str = Field(default="key", pattern=r"^[a-z0-9]{1,16}$")


class ApiKey(BaseModel):
    """A random key for another application. It is stored nowhere and opens nothing here."""

    api_key: str = Field(examples=["key_k3JcX0qv9RZt2nLw…"])
    prefix: str = Field(examples=["key"])


class EncryptRequest(BaseModel):
    """Text to encrypt, and what for: a token of one purpose does not open for another."""

    data: SecretStr = Field(max_length=MOST_TEXT, examples=["sensitive information"])
    purpose: Purpose = "default"


class Encrypted(BaseModel):
    """A Fernet token."""

    encrypted_data: str = Field(examples=[EXAMPLE_TOKEN])
    purpose: str = Field(examples=["default"])


class DecryptRequest(BaseModel):
    """A token of ``encrypt``, and the purpose that it was made for."""

    encrypted_data: str = Field(max_length=2 * MOST_TEXT, examples=[EXAMPLE_TOKEN])
    purpose: Purpose = "default"


class Decrypted(BaseModel):
    """What was encrypted; ``outdated``: under a former key, encrypt it again."""

    data: str = Field(examples=["sensitive information"])
    purpose: str = Field(examples=["default"])
    encrypted_at: datetime
    outdated: bool = False


class ShownLimits(BaseModel):
    """The policies that are in force."""

    max_requests_per_minute: int = Field(examples=[60])
    max_requests_per_hour: int = Field(examples=[1000])
    max_login_attempts: int = Field(examples=[5])
    lockout_duration_minutes: int = Field(examples=[15])
    min_password_length: int = Field(examples=[12])
    password_history: int = Field(examples=[5])
    session_timeout_minutes: int = Field(examples=[30])
    max_sessions: int = Field(examples=[3])
    max_input_length: int = Field(examples=[10000])
    max_file_size_mb: int = Field(examples=[10])


class Statistics(BaseModel):
    """What was seen today (UTC), by all replicas; it may lag some seconds behind.

    ``security_events_today`` is null while the audit log does not answer.
    """

    rate_limited_requests: int = Field(examples=[5])
    locked_accounts: int = Field(description="Now.", examples=[2])
    failed_login_attempts: int = Field(examples=[15])
    account_lockouts: int = Field(examples=[2])
    input_validation_failures: int = Field(examples=[3])
    file_upload_rejections: int = Field(examples=[1])
    security_events_today: int | None = Field(examples=[150])
    config: ShownLimits
