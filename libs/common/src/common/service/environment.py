"""Settings from the environment, and sentences about those that are missing or wrong."""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from common.config import Settings
from common.errors import Invalid

S = TypeVar("S", bound=Settings)


def load(cls: type[S], **given: Any) -> S:
    """Read the settings; what is ``given`` here is not looked for in the environment.

    Raises:
        Invalid: with a line for each variable that is missing or unacceptable, never its value.
    """
    try:
        return cls(**given)
    except ValidationError as error:
        lines = [_sentence(cls, each) for each in error.errors(include_input=False)]
        raise Invalid("\n".join(lines)) from None
    except SettingsError as error:
        raise Invalid(f"A setting cannot be read: {error}.") from None


def _sentence(cls: type[Settings], error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    field = cls.model_fields.get(name)
    purpose = field.description if field and field.description else "required"
    if error["type"] == "missing":
        return f"{name.upper()} is not set: {purpose}. {name.upper()}_FILE may name a file with it."
    return f"{name.upper() or 'The settings'}: {error['msg']}."
