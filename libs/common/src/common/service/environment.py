"""Settings from the environment, and sentences about those that are missing or wrong."""

from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from common.config import Settings, Strong
from common.crypto.strength import listed, weakness
from common.errors import Invalid
from common.keyproviders import Resolver

S = TypeVar("S", bound=Settings)


def load(cls: type[S], **given: Any) -> S:
    """Read the settings; what is ``given`` here is not looked for in the environment.

    Raises:
        Invalid: with a line for each variable that is missing or unacceptable, never its value. In
            production a weak key is not acceptable.
        Error: a secret is kept elsewhere (Vault, KMS) and cannot be had.
    """
    settings = _followed(cls, given, _read(cls, given))
    if settings.environment == "production" and (weak := weaknesses(settings)):
        raise Invalid(
            "\n".join(weak),
            remedy="Make a key with `strongroom keys generate`; docs/how-to/secrets.md says how to"
            " change one that is in use.",
        )
    return settings


def weaknesses(settings: Settings) -> list[str]:
    """A sentence for each key that is set and weak."""
    found = []
    for name, field in type(settings).model_fields.items():
        rule = _rule(field)
        value = getattr(settings, name)
        if rule is None or not isinstance(value, SecretStr) or not value.get_secret_value():
            continue
        text = value.get_secret_value()
        newest = (listed(text) or [""])[0] if rule.several else text
        if why := weakness(newest, rule.least):
            found.append(f"{name.upper()} is too weak: {why}.")
    return found


def _rule(field: FieldInfo) -> Strong | None:
    return next((each for each in field.metadata if isinstance(each, Strong)), None)


def _followed(cls: type[S], given: dict[str, Any], settings: S) -> S:
    """The settings with every secret that another place keeps, which only its value can tell."""
    found = {}
    with Resolver() as resolver:
        for name, field in cls.model_fields.items():
            value = getattr(settings, name)
            if isinstance(value, SecretStr):
                rule = _rule(field)
                several = rule is not None and rule.several
                secret = resolver.resolve(name.upper(), value, several=several)
                if secret is not value:
                    found[name] = secret
    return _read(cls, {**given, **found}) if found else settings


def _read(cls: type[S], given: dict[str, Any]) -> S:
    try:
        return cls(**given)
    except ValidationError as error:
        lines = [_sentence(cls, each) for each in error.errors(include_input=False)]
        raise Invalid("\n".join(lines)) from None


def _sentence(cls: type[Settings], error: ErrorDetails) -> str:
    name, inside = (str(error["loc"][0]), error["loc"][1:]) if error["loc"] else ("", ())
    field = cls.model_fields.get(name)
    purpose = field.description if field and field.description else "required"
    if error["type"] == "missing" and not inside:
        return f"{name.upper()} is not set: {purpose}. {name.upper()}_FILE may name a file with it."
    reason = error["msg"].removeprefix("Value error, ")
    place = "".join(f"[{each}]" for each in inside)
    return f"{name.upper() or 'The settings'}{place}: {reason}."
