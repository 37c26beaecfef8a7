"""AWS KMS: a setting holds its secret as KMS has encrypted it, and KMS decrypts it at the start."""

import base64
import binascii
import logging

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from pydantic import SecretStr

from common.config import Settings
from common.crypto.references import Reference
from common.errors import Error, Forbidden, Invalid, NotFound, Unavailable, WrongKey

_REFUSED = {
    "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException",
    "ExpiredTokenException", "MissingAuthenticationTokenException",
}  # fmt: skip
_PASSING = {
    "DependencyTimeoutException", "KMSInternalException", "ThrottlingException",
    "LimitExceededException", "KeyUnavailableException", "RequestTimeout", "InternalFailure",
    "ServiceUnavailable",
}  # fmt: skip
_LIMITS = Config(
    connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"}
)


class KmsSettings(Settings):
    """Where KMS is. How to log in is found as in every program on AWS."""

    aws_region: str = ""
    aws_default_region: str = ""
    aws_endpoint_url_kms: str = ""


class KmsProvider:
    """``kms:CIPHERTEXT``, the base64 that ``aws kms encrypt`` prints."""

    def __init__(self, settings: KmsSettings | None = None) -> None:
        for name in ("boto3", "botocore", "urllib3"):  # what they log at DEBUG holds the secret
            logging.getLogger(name).setLevel(logging.WARNING)
        found = settings or KmsSettings()
        region = found.aws_region or found.aws_default_region
        if not region:
            raise Invalid(
                "A setting names a secret in KMS, and AWS_REGION is not set.",
                remedy="Set it to the region of the key, such as eu-central-1.",
            )
        try:
            self._client = boto3.session.Session().client(
                "kms",
                region_name=region,
                endpoint_url=found.aws_endpoint_url_kms or None,
                config=_LIMITS,
            )
        except (BotoCoreError, ValueError) as error:
            raise Invalid(f"KMS cannot be used: {type(error).__name__}.") from None

    def close(self) -> None:
        self._client.close()

    def fetch(self, reference: Reference) -> SecretStr:
        try:
            blob = base64.b64decode(reference.body, validate=True)
        except binascii.Error:
            raise reference.wrong("kms: and the base64 that `aws kms encrypt` prints") from None
        try:
            answer = self._client.decrypt(CiphertextBlob=blob)
            return SecretStr(answer["Plaintext"].decode())
        except ClientError as error:
            raise _told(error.response.get("Error", {}).get("Code", ""), reference) from None
        except NoCredentialsError:
            raise Forbidden(
                f"No login to AWS was found, to decrypt {reference.setting}.",
                remedy="Give the process a role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            ) from None
        except BotoCoreError as error:
            raise Unavailable(
                f"KMS does not answer, to decrypt {reference.setting}: {type(error).__name__}.",
                remedy="Are AWS_REGION and AWS_ENDPOINT_URL_KMS right?",
            ) from None
        except UnicodeDecodeError:
            raise WrongKey(f"What {reference.setting} decrypts to is no text.") from None


def _told(code: str, reference: Reference) -> Error:
    if code in _REFUSED:
        return Forbidden(
            f"KMS refuses to decrypt {reference.setting}: {code}.",
            remedy="Check the login, and that it has kms:Decrypt for the key.",
        )
    if code == "NotFoundException":
        return NotFound(f"The key that {reference.setting} was encrypted with is not in KMS.")
    if code in _PASSING:
        return Unavailable(f"KMS does not decrypt {reference.setting} now: {code}.")
    return WrongKey(
        f"KMS does not decrypt {reference.setting}: {code or 'an unknown reason'}.",
        remedy="Encrypt it again with `aws kms encrypt`, in the region that AWS_REGION names.",
    )
