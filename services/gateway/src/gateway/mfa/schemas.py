"""Second factors as the API takes and shows them."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from common.crypto.passwords import LONGEST
from gateway.mfa.handlers import Proof

Code = SecretStr


class SecondFactor(BaseModel):
    """A code of the authenticator, or a recovery code: one of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"code": "492039"}, {"recovery_code": "k7xm-2fqa-p9wd-h4tz"}]
        },
    )

    code: Code | None = Field(default=None, min_length=6, max_length=16)
    recovery_code: Code | None = Field(default=None, min_length=16, max_length=40)

    @model_validator(mode="after")
    def _one(self) -> "SecondFactor":
        given = [value for value in self.__dict__.values() if value is not None]
        if len(given) != 1:
            raise ValueError("must have exactly one factor")
        return self

    def proof(self) -> Proof:
        """What is given."""
        given = {name: each for name, each in self.__dict__.items() if each is not None}
        return Proof(**{name: each.get_secret_value() for name, each in given.items()})


class AnyFactor(SecondFactor):
    """The password, a code of the authenticator or a recovery code: one of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"password": "correct-horse-battery"}, {"code": "492039"}]},
    )

    password: Code | None = Field(default=None, min_length=1, max_length=LONGEST)


class Confirmation(BaseModel):
    """The first code of a new authenticator."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"code": "492039"}]})

    code: Code = Field(min_length=6, max_length=16)


class Enrolment(BaseModel):
    """The secret of a new authenticator, shown this once."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXP…"])
    uri: str = Field(
        description="The same for a QR code.",
        examples=["otpauth://totp/Strongroom:ada?secret=JBSWY3DPEHPK3PXP…&issuer=Strongroom"],
    )


class RecoveryCodes(BaseModel):
    """Codes for when the authenticator is gone, each for one time; shown this once."""

    recovery_codes: list[str] = Field(examples=[["k7xm-2fqa-p9wd-h4tz"]])


class StandingAnswer(BaseModel):
    """Which second factors there are, and whether one is asked for."""

    totp: bool
    passkeys: int
    recovery_codes_left: int
    required: bool = Field(description="Whether a role asks for a second factor.")
