"""Secrets from Vault and KMS: found, refused, away; and never told to anybody."""

import base64
import socket
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from common.config import KeyText, RotatingKey, Settings
from common.errors import Error, Forbidden, Invalid, NotFound, Unavailable, WrongKey
from common.keyproviders import Resolver, resolving
from common.service.environment import load
from secret_servers import ROLE, SECRET_ID, TOKEN, Kms, Vault, server

KEY = "9Zt-an-encryption-key-that-Vault-keeps-for-us"
OTHER = "7Qx-and-another-one-of-the-year-before-this-1"
ENVIRONMENT = (
    "VAULT_ADDR", "VAULT_TOKEN", "VAULT_ROLE_ID", "VAULT_SECRET_ID", "VAULT_TOKEN_FILE",
    "VAULT_NAMESPACE", "VAULT_CACERT", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE",
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "SEALING_KEY", "CHANGING_KEY", "DATABASE_URL",
)  # fmt: skip


class Keys(Settings):
    """A service that holds keys."""

    sealing_key: KeyText = SecretStr("")
    changing_key: RotatingKey = SecretStr("")
    database_url: SecretStr = SecretStr("")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    pytest.importorskip("hvac")
    found = Vault()
    found.kept["secret/data/strongroom"] = {"key": KEY, "former": OTHER, "number": 7}
    found.encrypted["strongroom#vault:v1:c2VhbGVk"] = base64.b64encode(KEY.encode()).decode()
    with server(found) as url:
        monkeypatch.setenv("VAULT_ADDR", url)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        monkeypatch.setattr("common.keyproviders.vault.PAUSE_SECONDS", 0.01)
        yield found


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    pytest.importorskip("boto3")
    found = Kms()
    found.kept["c2VhbGVk"] = base64.b64encode(KEY.encode()).decode()
    with server(found) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-access-key")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield found


def resolve(text: str, *, several: bool = False) -> str:
    with Resolver() as resolver:
        return resolver.resolve("SEALING_KEY", SecretStr(text), several=several).get_secret_value()


def test_a_service_starts_with_keys_from_vault(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: a deployment without any key in its environment."""
    vault.kept["kv/teams/data/db"] = {"url": "postgresql://x"}
    monkeypatch.setenv("SEALING_KEY", "vault-transit:transit/strongroom#vault:v1:c2VhbGVk")
    monkeypatch.setenv(
        "CHANGING_KEY", "vault:secret/data/strongroom#key, vault:secret/data/strongroom#former"
    )
    monkeypatch.setenv("DATABASE_URL", "vault:kv/teams/data/db#url")
    found = load(Keys)
    assert found.sealing_key.get_secret_value() == KEY
    assert found.changing_key.get_secret_value() == f"{KEY},{OTHER}"
    assert found.database_url.get_secret_value() == "postgresql://x"


def test_a_weak_key_is_refused_wherever_it_is_kept(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost: the rule, for whoever keeps a bad key in a good place."""
    vault.kept["secret/data/strongroom"] = {"key": "hunter2"}
    monkeypatch.setenv("SEALING_KEY", "vault:secret/data/strongroom#key")
    with pytest.raises(Invalid, match="SEALING_KEY is too weak: it has 7 bytes"):
        load(Keys)


def test_vault_is_logged_into_by_approle(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: logins that end by themselves."""
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("VAULT_ROLE_ID", ROLE)
    monkeypatch.setenv("VAULT_SECRET_ID", SECRET_ID)
    assert resolve("vault:secret/data/strongroom#key") == KEY
    monkeypatch.setenv("VAULT_SECRET_ID", "a-secret-that-is-not-the-one")
    with pytest.raises(WrongKey) as caught:
        resolve("vault:secret/data/strongroom#key")
    assert "a-secret-that" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ("vault:secret/data/strongroom#missing", NotFound),
        ("vault:secret/data/strongroom#number", NotFound),
        ("vault:secret/data/nowhere#key", NotFound),
        ("vault:secret/strongroom#key", Invalid),
        ("vault:secret/data/strongroom", Invalid),
        ("vault-transit:transit/other#vault:v1:c2VhbGVk", WrongKey),
        ("vault-transit:transit/strongroom", Invalid),
    ],
)
def test_what_vault_does_not_have_is_said(vault: Vault, reference: str, error: type[Error]) -> None:
    """Lost: an hour of looking for which of five settings is wrong."""
    with pytest.raises(error, match="SEALING_KEY") as caught:
        resolve(reference)
    assert "c2VhbGVk" not in str(caught.value)


def test_a_refused_token_is_not_repeated(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: the token, which Vault's own answer may quote."""
    monkeypatch.setenv("VAULT_TOKEN", "hvs.somebody-elses-token")
    with pytest.raises(Forbidden, match="SEALING_KEY") as caught:
        resolve("vault:secret/data/strongroom#key")
    assert "somebody" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert len(vault.requests) == 1


def test_vault_is_asked_again_a_few_times(vault: Vault) -> None:
    """Lost: a start, to a moment's outage; or the start's end, to a long one."""
    vault.failures = 2
    assert resolve("vault:secret/data/strongroom#key") == KEY
    vault.failures, vault.requests = 99, []
    with pytest.raises(Unavailable, match="VAULT_ADDR"):
        resolve("vault:secret/data/strongroom#key")
    assert len(vault.requests) == 3


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: a sentence instead of a stack trace."""
    pytest.importorskip("hvac")
    monkeypatch.setattr("common.keyproviders.vault.PAUSE_SECONDS", 0.01)
    with pytest.raises(Invalid, match="VAULT_ADDR is not set"):
        resolve("vault:secret/data/strongroom#key")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        with pytest.raises(Unavailable, match="SEALING_KEY") as caught:
            resolve("vault:secret/data/strongroom#key")
    assert TOKEN not in str(caught.value)


def test_kms_decrypts_what_the_setting_holds(kms: Kms) -> None:
    """Lost: a deployment whose key opens only by a role of AWS."""
    assert resolve("kms:c2VhbGVk") == KEY
    assert resolve(f"kms:c2VhbGVk,{OTHER}", several=True) == f"{KEY},{OTHER}"


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        (["AccessDeniedException"], Forbidden),
        (["NotFoundException"], NotFound),
        (["ThrottlingException"] * 3, Unavailable),
    ],
)
def test_what_kms_refuses_is_said(kms: Kms, codes: list[str], error: type[Error]) -> None:
    """Lost: whether to wait, to ask for a right, or to look for the key."""
    kms.refusals = list(codes)
    with pytest.raises(error, match="SEALING_KEY"):
        resolve("kms:c2VhbGVk")
    assert kms.requests == len(codes)


def test_a_ciphertext_that_is_not_one_is_said(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: which setting to write anew."""
    with pytest.raises(Invalid, match="aws kms encrypt"):
        resolve("kms:not base64")
    with pytest.raises(WrongKey, match="InvalidCiphertext"):
        resolve("kms:b3RoZXI=")
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(Invalid, match="AWS_REGION"):
        resolve("kms:c2VhbGVk")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost: the way from an ImportError to what to install."""
    monkeypatch.setattr(resolving, "find_spec", lambda name: None)
    with pytest.raises(Invalid, match=r"Install strongroom-common\[kms\]"):
        resolve("kms:c2VhbGVk")


def test_a_plain_secret_is_taken_as_it_is() -> None:
    """Lost: every deployment that keeps its keys in files."""
    for text in (KEY, "postgresql://vault:secret@kms/db", "", "vaulted: no reference"):
        assert resolve(text) == text
