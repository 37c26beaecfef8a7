"""The documented security endpoints: judge, make, encrypt."""

import asyncio
from typing import Annotated

from fastapi import Depends, Form, UploadFile

from common.crypto.purposes import NotOpened
from common.crypto.tokens import new_token
from common.errors import Invalid
from common.web import error_answers
from gateway.envelope import Enveloped
from gateway.identity.access import (
    TheCaller,
    TheIdentity,
    guarded_router,
    limited,
    needs,
    session,
)
from gateway.identity.domain import Permission
from gateway.limits.domain import Kind
from gateway.platform import ThePlatform, kept
from gateway.security.schemas import (
    ApiKey,
    ApiKeyRequest,
    Decrypted,
    DecryptRequest,
    Encrypted,
    EncryptRequest,
    FileReport,
    InputReport,
    InputRequest,
    PasswordReport,
    PasswordRequest,
    Sanitized,
    SanitizeRequest,
    Statistics,
    Token,
    TokenRequest,
)
from gateway.security.secrets import SecretKeys
from gateway.security.statistics import statistics
from gateway.validation.files import inspect_file
from gateway.validation.text import TOO_LONG, inspect, sanitize

router = guarded_router(prefix="/api/v2/security", tags=["security"])

VALIDATE_FILE = "/api/v2/security/validate/file"
# Purposes of the gateway itself begin otherwise, so that nobody opens its secrets here.
_OUTSIDE = "api:"


TheSecrets = Annotated[SecretKeys, Depends(kept("secrets", SecretKeys))]


@router.get("/stats")
@needs(Permission.AUDIT_READ)
async def show_statistics(
    caller: TheCaller, platform: ThePlatform, identity: TheIdentity
) -> Enveloped[Statistics]:
    """Show what was refused today, and the policies in force."""
    found = await statistics(platform, identity, caller.actor())
    return Enveloped(message="Security statistics retrieved successfully", data=found)


@router.post("/validate/password")
@session(keys=True)
async def validate_password(
    body: PasswordRequest, identity: TheIdentity
) -> Enveloped[PasswordReport]:
    """Judge a password by the policy. It is not kept; whether it was used before is not said."""
    password = body.password.get_secret_value()
    found = await asyncio.to_thread(identity.judge.assess, password, body.user_name)
    report = PasswordReport(
        valid=found.valid,
        errors=found.errors,
        warnings=found.warnings,
        strength_score=found.strength_score,
    )
    return Enveloped(message="Password validation completed", data=report)


@router.post("/validate/input")
@session(keys=True)
async def validate_input(
    body: InputRequest, platform: ThePlatform, identity: TheIdentity, caller: TheCaller
) -> Enveloped[InputReport]:
    """Look for what attacks are made of. Nothing is changed."""
    most = platform.settings.security_max_input_length
    most = min(most, body.max_length or most)
    found = await asyncio.to_thread(inspect, body.input_data, most)
    if not found.valid:
        identity.tally.note("input_validation_failures")
    if found.threats:
        await identity.report("suspicious_input", caller, threats=", ".join(found.threats))
    report = InputReport(
        valid=found.valid,
        errors=found.errors,
        warnings=found.warnings,
        threats=found.threats,
        length=len(body.input_data),
    )
    return Enveloped(message="Input validation completed", data=report)


@router.post("/sanitize")
@session(keys=True)
async def sanitize_input(
    body: SanitizeRequest, platform: ThePlatform, identity: TheIdentity
) -> Enveloped[Sanitized]:
    """Make text harmless, as HTML. What was sanitized once stays as it is."""
    if len(body.input_data) > platform.settings.security_max_input_length:
        identity.tally.note("input_validation_failures")
        raise Invalid(TOO_LONG)
    cleaned = await asyncio.to_thread(sanitize, body.input_data)
    data = Sanitized(sanitized=cleaned, changed=cleaned != body.input_data)
    return Enveloped(message="Input sanitized", data=data)


@router.post("/validate/file", responses=error_answers(400))
@limited(Kind.HEAVY)
@session(keys=True)
async def validate_file(
    file: UploadFile,
    platform: ThePlatform,
    identity: TheIdentity,
    caller: TheCaller,
    content_type: Annotated[str, Form(max_length=200)] = "",
) -> Enveloped[FileReport]:
    """Look at a file: its name, its size, and whether its content is what they promise."""
    name = file.filename or ""
    declared = content_type or file.content_type or ""
    most = platform.settings.security_max_file_size_mb << 20
    found = await asyncio.to_thread(inspect_file, name, declared, file.file, file.size or 0, most)
    if not found.valid:
        identity.tally.note("file_upload_rejections")
        await identity.report("file_rejected", caller, errors=", ".join(found.errors))
    report = FileReport(
        valid=found.valid,
        errors=found.errors,
        warnings=found.warnings,
        filename=name,
        file_size=found.file_size,
        detected_type=found.detected_type,
    )
    return Enveloped(message="File validation completed", data=report)


@router.post("/generate/token")
@limited(Kind.TOKEN)
@needs(Permission.TOKENS_ISSUE)
async def generate_token(body: TokenRequest | None = None) -> Enveloped[Token]:
    """Make a random token of letters and digits."""
    wanted = (body or TokenRequest()).length
    token = "".join(new_token() for _ in range(-(-wanted // 64)))[:wanted]
    return Enveloped(message="Token generated", data=Token(token=token, length=wanted))


@router.post("/generate/api-key")
@limited(Kind.TOKEN)
@needs(Permission.TOKENS_ISSUE)
async def generate_api_key(body: ApiKeyRequest | None = None) -> Enveloped[ApiKey]:
    """Make a random API key for another application. Keys to this API belong to users."""
    prefix = (body or ApiKeyRequest()).prefix
    return Enveloped(
        message="API key generated",
        data=ApiKey(api_key=f"{prefix}_{new_token()}", prefix=prefix),
    )


@router.post("/encrypt")
@limited(Kind.TOKEN)
@needs(Permission.MANAGE_SETTINGS)
async def encrypt(body: EncryptRequest, secrets: TheSecrets) -> Enveloped[Encrypted]:
    """Encrypt text under a key of its purpose. Only the newest key encrypts."""
    keys = await secrets.keys()
    text = body.data.get_secret_value()
    try:
        token = await asyncio.to_thread(keys.seal, _OUTSIDE + body.purpose, text)
    except UnicodeEncodeError as error:
        raise Invalid("The data is not text.") from error
    return Enveloped(
        message="Data encrypted", data=Encrypted(encrypted_data=token, purpose=body.purpose)
    )


@router.post("/decrypt")
@limited(Kind.TOKEN)
@needs(Permission.MANAGE_SETTINGS)
async def decrypt(
    body: DecryptRequest, secrets: TheSecrets, identity: TheIdentity, caller: TheCaller
) -> Enveloped[Decrypted]:
    """Decrypt a token of ``encrypt``, made under the present key or a former one."""
    keys = await secrets.keys()
    try:
        opened = await asyncio.to_thread(keys.open, _OUTSIDE + body.purpose, body.encrypted_data)
    except NotOpened:
        await identity.report("decryption_failed", caller, purpose=body.purpose)
        raise
    found = Decrypted(
        data=opened.text,
        purpose=body.purpose,
        encrypted_at=opened.made_at,
        outdated=opened.outdated,
    )
    return Enveloped(message="Data decrypted", data=found)
