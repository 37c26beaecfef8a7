"""What is sealed under which key, and whether former keys are still needed."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, Field

from common.crypto.strength import listed
from common.errors import Error
from common.messages import GetSealing, SealingStanding
from common.service.resealing import Progress, Resealing
from gateway.envelope import Enveloped
from gateway.identity.access import TheCaller, guarded_router, needs
from gateway.identity.domain import Permission
from gateway.platform import ThePlatform, kept

router = guarded_router(prefix="/api/v2/security", tags=["security"])

OWN, OF_TOKENS = "SECURITY_ENCRYPTION_KEY", "ENCRYPTION_KEY"
PATIENCE = 5.0


class SealedUnder(BaseModel):
    """The secrets that are stored under the keys of a setting, and how far it has come to seal
    those of former keys anew.
    """

    setting: str = Field(examples=[OWN])
    key_id: str = Field(
        description="Of the newest key, of which it tells nothing; empty: it is not set.",
        examples=["5f2c9a1b7d3e4860"],
    )
    former_keys: int = Field(description="How many keys stand behind the newest.", examples=[1])
    secrets: int = Field(examples=[12])
    under_former_keys: int = Field(examples=[0])
    unreadable: int = Field(description="Of those, under keys that are not given.", examples=[0])
    resealed: int = Field(description="Since the newest key came.", examples=[12])
    finished_at: datetime | None
    droppable: bool = Field(
        description="Whether nothing is under the former keys: take them out of the setting. What"
        " `encrypt` gave out is not counted, whoever has it knows of it."
    )


class KeysInUse(BaseModel):
    """Every setting that seals what is stored. ``unanswered``: their service does not answer."""

    keys: list[SealedUnder]
    unanswered: list[str] = Field(examples=[[]])


@router.get("/keys")
@needs(Permission.MANAGE_SETTINGS)
async def show_keys(
    caller: TheCaller,
    platform: ThePlatform,
    resealing: Annotated[Resealing, Depends(kept("resealing", Resealing))],
) -> Enveloped[KeysInUse]:
    """Show how many stored secrets are still under former keys. No key is shown."""
    own = await resealing.progress()
    former = len(listed(platform.settings.security_encryption_key)) - 1
    keys, unanswered = [_shown(OWN, former, own)], []
    try:
        answer = await platform.ask(GetSealing(), wait=PATIENCE, actor=caller.actor())
    except Error:
        answer = None
    if isinstance(answer, SealingStanding):
        keys.append(_shown(OF_TOKENS, answer.former_keys, answer))
    else:
        unanswered.append(OF_TOKENS)
    found = KeysInUse(keys=keys, unanswered=unanswered)
    return Enveloped(message="Keys retrieved successfully", data=found)


def _shown(setting: str, former: int, found: Progress | SealingStanding) -> SealedUnder:
    return SealedUnder(
        setting=setting,
        key_id=found.key_id,
        former_keys=max(0, former),
        secrets=found.secrets,
        under_former_keys=found.waiting,
        unreadable=found.unreadable,
        resealed=found.resealed,
        finished_at=found.finished_at,
        droppable=former > 0 and not found.waiting,
    )
