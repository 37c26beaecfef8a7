"""From a setting's value to its secret."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Self

from pydantic import SecretStr

from common.crypto.references import Reference, SecretProvider
from common.crypto.strength import listed
from common.errors import Invalid, WrongKey


def _vault() -> SecretProvider:
    _require("hvac", "vault")
    from common.keyproviders.vault import VaultProvider  # noqa: PLC0415 - an extra

    return VaultProvider()


def _kms() -> SecretProvider:
    _require("boto3", "kms")
    from common.keyproviders.kms import KmsProvider  # noqa: PLC0415 - an extra

    return KmsProvider()


def _require(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise Invalid(
            f"A setting names a secret in {extra}, and the package {package} is not installed.",
            remedy=f"Install strongroom-common[{extra}].",
        )


_OPENERS: dict[str, tuple[str, Callable[[], SecretProvider]]] = {
    "vault": ("vault", _vault),
    "vault-transit": ("vault", _vault),
    "kms": ("kms", _kms),
}


class Resolver:
    """Follows references, with one login to each place; a context manager that ends them."""

    def __init__(self) -> None:
        self._providers: dict[str, SecretProvider] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for provider in self._providers.values():
            provider.close()

    def resolve(self, setting: str, value: SecretStr, *, several: bool = False) -> SecretStr:
        """The secret behind ``value``; ``value`` itself when it is no reference.

        With ``several`` it is a list, and each part of it may be a reference.

        Raises:
            Error: as ``SecretProvider.fetch``.
        """
        text = value.get_secret_value()
        parts = listed(text) if several else [text]
        references = [Reference.parse(setting, part) for part in parts]
        if not any(references):
            return value
        found = [
            part if reference is None else self._fetch(reference)
            for part, reference in zip(parts, references, strict=True)
        ]
        return SecretStr(",".join(found))

    def _fetch(self, reference: Reference) -> str:
        place, opener = _OPENERS[reference.scheme]
        if place not in self._providers:
            self._providers[place] = opener()
        text = self._providers[place].fetch(reference).get_secret_value().rstrip("\r\n")
        if not text:
            raise WrongKey(f"What {reference.setting} names is empty.")
        return text
