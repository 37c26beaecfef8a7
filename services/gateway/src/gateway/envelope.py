"""The form of every successful answer of the /api/v2 family."""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

T = TypeVar("T")


class Enveloped(BaseModel, Generic[T]):
    """``status_code`` repeats the status of the answer."""

    status_code: int = Field(default=200, examples=[200])
    message: str
    data: T


def enveloped(
    status: int, message: str, data: BaseModel, headers: dict[str, str] | None = None
) -> Response:
    """An answer whose status is known only now."""
    body = {"status_code": status, "message": message, "data": data.model_dump(mode="json")}
    return JSONResponse(body, status_code=status, headers=headers)
