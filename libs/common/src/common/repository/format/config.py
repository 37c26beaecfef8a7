"""The object ``config``: who the repository is and how its keys are kept."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict

from common.crypto.hpke import SUITE, PrivateKey, PublicKey
from common.crypto.keys import KeyProvider, PassphraseProvider, Secret, derive_writer_key
from common.errors import Corrupt, WrongKey
from common.repository.format.cutting import ChunkerParameters
from common.repository.format.fields import Fields, encode
from common.repository.format.frame import Frame, pack_frame, parse_frame
from common.repository.format.names import CONFIG, KEY_ID_SIZE, Kind
from common.repository.format.writerkeys import config_mac_key, is_writer_key, writer_check

_PRIVATE = b"strongroom/v1/private-key"
_WRITER = b"strongroom/v1/writer-key"
_ALGORITHM = "fastcdc-2020"


class Recovery(NamedTuple):
    """A recovery key's public part, and the writer key wrapped to it."""

    name: str
    public_key: PublicKey
    writer_key: bytes


class Sealed(TypedDict):
    """The fields of ``config`` that hold the private parts, and how they are sealed."""

    sealing: dict[str, Any]
    public_key: PublicKey
    private_key: bytes
    writer_key: bytes


class FormerKey(NamedTuple):
    """The key pair before this one, while run keys may be wrapped to it."""

    public_key: PublicKey
    private_key: bytes

    def __repr__(self) -> str:
        return f"FormerKey({self.public_key.recipient.hex()})"


class RepositoryConfig(NamedTuple):
    """The content of ``config``. Made by ``create`` or ``parse``."""

    repository: bytes
    generation: int
    created: datetime
    encrypted: bool
    chunker: ChunkerParameters
    sealing: dict[str, Any]
    public_key: PublicKey
    private_key: bytes
    writer_key: bytes
    writer_check: bytes
    recovery: tuple[Recovery, ...] = ()
    former: tuple[FormerKey, ...] = ()
    frame: Frame | None = None

    def __repr__(self) -> str:
        return f"RepositoryConfig({self.repository.hex()}, generation={self.generation})"

    @staticmethod
    def create(
        encryption_key: Secret,
        writer_key: bytes | None = None,
        recovery: Sequence[tuple[str, PublicKey]] = (),
        chunker: ChunkerParameters | None = None,
    ) -> bytes:
        """The ``config`` of a new repository; None as the encryption key: without encryption."""
        repository = os.urandom(KEY_ID_SIZE)
        writer = derive_writer_key(encryption_key) if writer_key is None else writer_key
        provider = PassphraseProvider(encryption_key)
        private = PrivateKey.generate()
        config = RepositoryConfig(
            repository=repository,
            generation=1,
            created=datetime.now(UTC),
            encrypted=encryption_key is not None,
            chunker=chunker or ChunkerParameters(),
            sealing=provider.describe(),
            public_key=private.public,
            private_key=provider.seal(private.seed, _PRIVATE + repository),
            writer_key=provider.seal(writer, _WRITER + repository),
            writer_check=writer_check(writer, repository),
            recovery=tuple(make_recovery(name, key, writer, repository) for name, key in recovery),
        )
        return config.pack(writer)

    @staticmethod
    def parse(data: bytes) -> "RepositoryConfig":
        """Read ``config``; nothing in it may be relied on before ``authenticate``.

        Raises:
            Corrupt: damaged, or not a config.
        """
        frame = parse_frame(Kind.CONFIG, data, CONFIG)
        fields = Fields(frame.body, CONFIG)
        chunker = fields.fields("chunker")
        if chunker.text("algorithm") != _ALGORITHM:
            raise chunker.wrong("algorithm")
        config = RepositoryConfig(
            repository=fields.hex("repository", KEY_ID_SIZE),
            generation=fields.number("generation"),
            created=fields.time("created"),
            encrypted=fields.flag("encrypted"),
            chunker=ChunkerParameters(
                *(chunker.number(name) for name in ChunkerParameters._fields)
            ),
            sealing=fields.mapping("sealing"),
            public_key=PublicKey(fields.binary("public_key")),
            private_key=fields.binary("private_key"),
            writer_key=fields.binary("writer_key"),
            writer_check=fields.binary("writer_check"),
            recovery=tuple(_parse_recovery(row) for row in fields.rows("recovery")),
            former=tuple(_parse_former(row) for row in fields.rows("former", optional=True)),
            frame=frame,
        )
        config.chunker.check()
        return config

    def authenticate(self, writer_key: bytes) -> None:
        """Make sure that this is the writer key and that its holders wrote this config.

        Raises:
            WrongKey: the key is another repository's.
            Corrupt: the config was changed.
        """
        if not is_writer_key(writer_key, self.repository, self.writer_check):
            raise WrongKey(
                "The writer key is not this repository's.",
                remedy="Set BACKUP_WRITER_KEY to what `strongroom keys writer` prints.",
            )
        if self.frame is None:
            raise Corrupt("config was not read from an object.")
        self.frame.authenticate(config_mac_key(writer_key))

    def open_private(self, provider: KeyProvider) -> tuple[PrivateKey, bytes]:
        """The private key and the writer key, for the holder of the encryption key."""
        private = self._unseal_private(provider, self.private_key, self.public_key)
        writer_key = provider.unseal(self.writer_key, _WRITER + self.repository)
        self.authenticate(writer_key)
        return private, writer_key

    def open_former(self, provider: KeyProvider) -> tuple[PrivateKey, ...]:
        """The private keys of former key pairs, for the holder of the encryption key."""
        return tuple(
            self._unseal_private(provider, former.private_key, former.public_key)
            for former in self.former
        )

    def sealed_by(self, provider: KeyProvider, private: PrivateKey, writer_key: bytes) -> Sealed:
        """The fields for this key pair, sealed by this provider."""
        return Sealed(
            sealing=provider.describe(),
            public_key=private.public,
            private_key=provider.seal(private.seed, _PRIVATE + self.repository),
            writer_key=provider.seal(writer_key, _WRITER + self.repository),
        )

    def _unseal_private(
        self, provider: KeyProvider, sealed: bytes, public_key: PublicKey
    ) -> PrivateKey:
        private = PrivateKey(provider.unseal(sealed, _PRIVATE + self.repository))
        if private.public != public_key:
            raise Corrupt("config has a private key that does not fit its public key.")
        return private

    def open_recovery(self, private: PrivateKey) -> bytes:
        """The writer key, for the holder of a recovery key.

        Raises:
            WrongKey: it is none of this repository's recovery keys.
        """
        public = private.public
        for recovery in self.recovery:
            if recovery.public_key == public:
                writer_key = private.unwrap(recovery.writer_key, _WRITER + self.repository)
                self.authenticate(writer_key)
                return writer_key
        raise WrongKey("The recovery key is not one of this repository's.")

    @property
    def recipients(self) -> tuple[PublicKey, ...]:
        """Everyone whom a run key is wrapped to."""
        return (self.public_key, *(recovery.public_key for recovery in self.recovery))

    def pack(self, writer_key: bytes) -> bytes:
        """The bytes of the object."""
        body: dict[str, Any] = {
            "repository": self.repository.hex(),
            "generation": self.generation,
            "created": self.created.isoformat(),
            "encrypted": self.encrypted,
            "chunker": {
                "algorithm": _ALGORITHM,
                **self.chunker._asdict(),
            },
            "sealing": self.sealing,
            "public_key": encode(self.public_key.raw),
            "private_key": encode(self.private_key),
            "writer_key": encode(self.writer_key),
            "writer_check": encode(self.writer_check),
            "recovery": [_pack_recovery(recovery) for recovery in self.recovery],
        }
        if self.former:
            body["former"] = [_pack_former(former) for former in self.former]
        return pack_frame(Kind.CONFIG, body, config_mac_key(writer_key))

    def next_generation(self, **changes: Any) -> "RepositoryConfig":
        """A changed config that succeeds this one."""
        return self._replace(generation=self.generation + 1, frame=None, **changes)


def make_recovery(
    name: str, public_key: PublicKey, writer_key: bytes, repository: bytes
) -> Recovery:
    """A recovery key of the repository with this id."""
    return Recovery(name, public_key, public_key.wrap(writer_key, _WRITER + repository))


def _pack_former(former: FormerKey) -> dict[str, Any]:
    return {
        "public_key": encode(former.public_key.raw),
        "private_key": encode(former.private_key),
    }


def _parse_former(row: Fields) -> FormerKey:
    return FormerKey(PublicKey(row.binary("public_key")), row.binary("private_key"))


def _pack_recovery(recovery: Recovery) -> dict[str, Any]:
    return {
        "name": recovery.name,
        "suite": SUITE,
        "public_key": encode(recovery.public_key.raw),
        "writer_key": encode(recovery.writer_key),
    }


def _parse_recovery(row: Fields) -> Recovery:
    if row.number("suite") != SUITE:
        raise row.wrong("suite")
    return Recovery(row.text("name"), PublicKey(row.binary("public_key")), row.binary("writer_key"))
