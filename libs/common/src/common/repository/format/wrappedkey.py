"""The objects ``keys/<key id>``: a run key, wrapped to everyone who may read."""

from datetime import datetime
from typing import Any, Literal, NamedTuple, cast
from uuid import UUID

from common.crypto.aead import KEY_SIZE
from common.crypto.hpke import RECIPIENT_SIZE, SUITE, PrivateKey, PublicKey
from common.errors import Corrupt
from common.repository.format.fields import Fields, encode
from common.repository.format.frame import pack_frame, parse_frame
from common.repository.format.names import KEY_ID_SIZE, Kind, key_name
from common.repository.format.runkey import RunKey
from common.repository.format.writerkeys import WriterKeys

_INFO = b"strongroom/v1/run-key"
Purpose = Literal["backup", "prune"]


class WrappedKey(NamedTuple):
    """A run key as it stands in the repository."""

    key_id: bytes
    run: UUID
    repository: bytes
    generation: int
    purpose: Purpose
    created: datetime
    wrapped: dict[bytes, bytes]
    abandoned: bool = False

    @property
    def name(self) -> str:
        """The name of the object."""
        return key_name(self.key_id)

    def unwrap(self, private: PrivateKey, recipient: bytes) -> RunKey:
        """The run key, for the private key whose public key is called ``recipient``.

        Raises:
            Corrupt: it is not wrapped to this private key, or does not open.
        """
        wrapped = self.wrapped.get(recipient)
        if wrapped is None:
            raise Corrupt(f"{self.name} is not wrapped to this private key.")
        try:
            key = private.unwrap(wrapped, _info(self.repository, self.key_id, self.run))
        except Corrupt as error:
            raise Corrupt(f"{self.name} holds a run key that does not open.") from error
        if len(key) != KEY_SIZE:
            raise Corrupt(f"{self.name} holds a run key of a wrong size.")
        return RunKey(self.key_id, key)


def wrap_run_key(
    key: RunKey,
    *,
    run: UUID,
    recipients: tuple[PublicKey, ...],
    keys: WriterKeys,
    generation: int,
    purpose: Purpose,
    created: datetime,
) -> bytes:
    """The bytes of ``keys/<key id>``."""
    info = _info(keys.repository, key.key_id, run)
    body: dict[str, Any] = {
        "key": key.key_id.hex(),
        "run": run.hex,
        "repository": keys.repository.hex(),
        "generation": generation,
        "purpose": purpose,
        "created": created.isoformat(),
        "recipients": [
            {
                "recipient": public.recipient.hex(),
                "suite": SUITE,
                "wrapped": encode(public.wrap(key.key, info)),
            }
            for public in recipients
        ],
    }
    return pack_frame(Kind.KEY, body, keys.key_mac)


def keep_recipients(data: bytes, found: bytes, name: str, keys: WriterKeys) -> bytes:
    """The object ``data``, also for those who open ``found``: the same run key, wrapped before.

    It has the generation of ``found``, because the ``config`` beside it is that one's.
    """
    now, before = (parse_frame(Kind.KEY, each, name) for each in (data, found))
    now.authenticate(keys.key_mac)
    before.authenticate(keys.key_mac)
    rows = now.body["recipients"]
    named = {row["recipient"] for row in rows}
    kept = [row for row in before.body["recipients"] if row["recipient"] not in named]
    both = {"generation": before.body["generation"], "recipients": [*rows, *kept]}
    return pack_frame(Kind.KEY, {**now.body, **both}, keys.key_mac)


def parse_run_key(data: bytes, name: str, keys: WriterKeys) -> WrappedKey:
    """Read and authenticate ``keys/<key id>``.

    Raises:
        Corrupt: damaged, changed, or under another's name.
    """
    frame = parse_frame(Kind.KEY, data, name)
    frame.authenticate(keys.key_mac)
    fields = Fields(frame.body, name)
    purpose = fields.text("purpose")
    if purpose not in {"backup", "prune"}:
        raise fields.wrong("purpose")
    found = WrappedKey(
        key_id=fields.hex("key", KEY_ID_SIZE),
        run=UUID(bytes=fields.hex("run", KEY_ID_SIZE)),
        repository=fields.hex("repository", KEY_ID_SIZE),
        generation=fields.number("generation"),
        purpose=cast("Purpose", purpose),
        created=fields.time("created"),
        wrapped={
            row.hex("recipient", RECIPIENT_SIZE): row.binary("wrapped")
            for row in fields.rows("recipients")
            if row.number("suite") == SUITE
        },
        abandoned="abandoned" in frame.body and fields.flag("abandoned"),
    )
    if found.name != name:
        raise Corrupt(f"{name} is the object {found.name} under another's name.")
    if found.repository != keys.repository:
        raise Corrupt(f"{name} belongs to another repository.")
    return found


def _info(repository: bytes, key_id: bytes, run: UUID) -> bytes:
    return _INFO + repository + key_id + run.bytes
