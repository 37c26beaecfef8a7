"""Settings that are missing or wrong, migrations that are misnamed, answers that are errors."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from common.config import KeyText, RotatingKey, ServiceSettings, Settings, StationSettings
from common.db.migrations import read
from common.errors import Error, Invalid, LeaseLost, NotFound
from common.messages import Failure, QuestionFailed, RepositoryConfig, seal
from common.service.environment import load, weaknesses
from common.service.questions import unwrap
from common.service.transport import choose


class Example(ServiceSettings):
    """A service's settings."""

    signing_key: SecretStr = Field(description="what download tickets are signed with")
    workers: int = 1


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "DATABASE_URL",
        "SIGNING_KEY",
        "WORKERS",
        "AMQP_URL",
        "STRONGROOM_BUS_URL",
        "ENVIRONMENT",
    ):
        monkeypatch.delenv(name, raising=False)


def test_a_missing_setting_is_named_with_its_purpose() -> None:
    """The operator must read which variable to set and what for."""
    with pytest.raises(Invalid) as caught:
        load(Example)
    first, second = str(caught.value).splitlines()
    assert first.startswith("DATABASE_URL is not set: the service's database, postgresql://")
    assert second.startswith("SIGNING_KEY is not set: what download tickets are signed with.")
    assert caught.value.exit_code == 2


def test_a_wrong_setting_is_named_and_its_value_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value put into the wrong variable may be a secret."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("SIGNING_KEY", "k")
    monkeypatch.setenv("WORKERS", "hunter2")
    with pytest.raises(Invalid, match="WORKERS: Input should be a valid integer") as caught:
        load(Example)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("name", ["DATABASE_URL", "WORKERS", "AMQP_CA_FILE"])
def test_what_is_empty_counts_as_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """Lost: a start from a file of settings with a line that is left empty."""
    (tmp_path / "url").write_text("postgresql://x\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("SIGNING_KEY", "k")
    usual = load(Example)
    monkeypatch.setenv(name, "")
    assert load(Example) == usual
    (tmp_path / "url").write_text("\n")
    with pytest.raises(Invalid, match="DATABASE_URL is not set"):
        load(Example)


def test_a_file_that_holds_no_text_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lost: which of a dozen files it is, behind an unexpected error."""
    (tmp_path / "url").write_bytes(b"\xff\xfe\x80")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(Invalid, match="DATABASE_URL_FILE names") as caught:
        load(ServiceSettings)
    assert "it holds no text" in str(caught.value)


@pytest.mark.parametrize("value", ["inf", "nan", "1e300", "-1"])
@pytest.mark.parametrize("name", ["STRONGROOM_LEASE_SECONDS", "SHUTDOWN_GRACE_SECONDS"])
def test_a_time_without_an_end_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Lost: every job, which no worker could take: the database has no such moment."""
    monkeypatch.setenv(name, value)
    with pytest.raises(Invalid, match=f"^{name}: Input should be "):
        load(StationSettings)


class Keys(Settings):
    """A service that holds keys."""

    lasting_key: KeyText = SecretStr("")
    changing_key: RotatingKey = SecretStr("")


def test_production_refuses_weak_keys_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guesses the key reads every backup."""
    monkeypatch.setenv("LASTING_KEY", "your-backup-encryption-key")
    monkeypatch.setenv("CHANGING_KEY", "hunter2,0f7Jq-and-an-older-one-that-was-strong-enough")
    with pytest.raises(Invalid, match="strongroom keys generate") as caught:
        load(Keys)
    first, second = str(caught.value).splitlines()
    assert first == "LASTING_KEY is too weak: it is the placeholder of an example."
    assert second.startswith("CHANGING_KEY is too weak: it has 7 bytes, and 32 are the least. ")
    assert "hunter2" not in str(caught.value)


def test_development_warns_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's machine would not start with the keys of the examples."""
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("LASTING_KEY", "your-backup-encryption-key")
    assert weaknesses(load(Keys)) == [
        "LASTING_KEY is too weak: it is the placeholder of an example."
    ]


def test_an_older_key_may_be_weak(monkeypatch: pytest.MonkeyPatch) -> None:
    """A weak key could never be replaced: what is sealed under it must open meanwhile."""
    monkeypatch.setenv("CHANGING_KEY", "9Zt-this-one-is-long-and-of-many-kinds,hunter2")
    assert weaknesses(load(Keys)) == []


def test_a_service_needs_a_bus() -> None:
    """Without one of the two the service would start and never hear anything."""
    with pytest.raises(Invalid, match="AMQP_URL is not set"):
        choose(ServiceSettings(database_url=SecretStr("postgresql://x")), "gateway")


@pytest.mark.parametrize("names", [["1_create.sql"], ["0001-x.sql"], ["0001_a.sql", "0001_b.sql"]])
def test_a_misnamed_migration_is_refused(tmp_path: Path, names: list[str]) -> None:
    """Two files of one number would be applied in an order that nobody decided."""
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(Invalid, match="NNNN_verb_noun"):
        read("gateway", tmp_path)


def test_an_error_crosses_the_bus_with_its_kind() -> None:
    """The asker decides by the kind whether to try again, and shows the remedy."""
    failure = Failure(code="not_found", message="No such key.", remedy="Make one.")
    with pytest.raises(NotFound, match=r"No such key\. Make one\."):
        unwrap(seal(QuestionFailed(failure=failure), source="token-service"))


def test_a_kind_that_this_version_does_not_know_stays_an_error() -> None:
    """A newer service may have kinds of errors that an older one has not."""
    failure = Failure(code="from_the_future", message="Later.")
    with pytest.raises(Error) as caught:
        unwrap(seal(QuestionFailed(failure=failure), source="token-service"))
    assert caught.value.code == "from_the_future"
    assert LeaseLost.code == "lease_lost"


def test_an_answer_is_given_as_it_came() -> None:
    """The plain case."""
    answer = RepositoryConfig(repository_id="r", config="")
    assert unwrap(seal(answer, source="token-service")) == answer
