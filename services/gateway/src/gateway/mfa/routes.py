"""Second factors over HTTP."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from starlette.requests import Request

from common.web import error_answers
from gateway.identity import cookies
from gateway.identity.access import TheCaller, TheIdentity, guarded_router, needs, session
from gateway.identity.answers import SessionAnswer, begun_answer
from gateway.identity.domain import Limit, Permission
from gateway.mfa.handlers import Factors
from gateway.mfa.schemas import (
    AnyFactor,
    Confirmation,
    Enrolment,
    RecoveryCodes,
    SecondFactor,
    StandingAnswer,
)
from gateway.mfa.sealing import Sealing
from gateway.platform import ThePlatform

router = guarded_router(tags=["auth"])


async def _factors_of(request: Request, platform: ThePlatform, identity: TheIdentity) -> Factors:
    return Factors(platform, identity, Sealing(request.app.state.secrets.keys))


TheFactors = Annotated[Factors, Depends(_factors_of)]


@router.get("/api/auth/mfa")
@session(limits=[Limit.SECOND_FACTOR, Limit.ENROLMENT])
async def show_standing(caller: TheCaller, factors: TheFactors) -> StandingAnswer:
    """Show which second factors one has."""
    return StandingAnswer(**asdict(await factors.standing(caller)))


@router.post("/api/auth/mfa/verify", responses=error_answers(423))
@session(limits=[Limit.SECOND_FACTOR])
async def give_second_factor(
    body: SecondFactor,
    request: Request,
    response: Response,
    caller: TheCaller,
    factors: TheFactors,
) -> SessionAnswer:
    """Complete a login. The session goes on under a new token; the former one is worth nothing."""
    begun = await factors.complete(caller, body.proof())
    return begun_answer(request, response, begun, cookie=cookies.by_cookie(request))


@router.post(
    "/api/auth/step-up",
    status_code=204,
    response_class=Response,
    responses=error_answers(423, 429),
)
@session()
async def step_up(body: AnyFactor, caller: TheCaller, factors: TheFactors) -> None:
    """Give a factor again, for what asks for a fresh one."""
    await factors.step_up(caller, body.proof())


@router.post("/api/auth/mfa/totp", status_code=201, responses=error_answers(409))
@session(fresh=True, limits=[Limit.ENROLMENT])
async def set_up_totp(caller: TheCaller, factors: TheFactors) -> Enrolment:
    """Begin to set up an authenticator. It counts when its first code was given."""
    secret, uri = await factors.enrol(caller)
    return Enrolment(secret=secret, uri=uri)


@router.post("/api/auth/mfa/totp/confirm", responses=error_answers(404, 409, 423))
@session(fresh=True, limits=[Limit.ENROLMENT])
async def confirm_totp(body: Confirmation, caller: TheCaller, factors: TheFactors) -> RecoveryCodes:
    """Give the first code of an authenticator. From now on every login asks for one."""
    codes = await factors.confirm(caller, body.code.get_secret_value())
    return RecoveryCodes(recovery_codes=codes)


@router.delete(
    "/api/auth/mfa/totp",
    status_code=204,
    response_class=Response,
    responses=error_answers(423),
)
@session(fresh=True)
async def take_totp_away(
    caller: TheCaller, factors: TheFactors, body: SecondFactor | None = None
) -> None:
    """Take one's authenticator away, by a code of it or a recovery code.

    Who has a passkey, and has given it just now, needs neither.
    """
    await factors.disable(caller, body.proof() if body else None)


@router.post("/api/auth/mfa/recovery-codes", status_code=201, responses=error_answers(423))
@session(fresh=True)
async def renew_recovery_codes(
    caller: TheCaller, factors: TheFactors, body: SecondFactor | None = None
) -> RecoveryCodes:
    """Make new recovery codes; the former ones are worth nothing.

    By a code or one of the former. Who has a passkey, and has given it just now, needs neither.
    """
    made = await factors.new_codes(caller, body.proof() if body else None)
    return RecoveryCodes(recovery_codes=made)


@router.delete(
    "/api/users/{user_id}/mfa",
    status_code=204,
    response_class=Response,
    responses=error_answers(404, 409),
    tags=["users"],
)
@needs(Permission.USERS_MANAGE, fresh=True)
async def reset_mfa(user_id: UUID, caller: TheCaller, factors: TheFactors) -> None:
    """Take every second factor of a user away who has lost them. The user's sessions end."""
    await factors.reset(caller, str(user_id))
