"""A server's certificate: loaded at the start, and again whenever its files are replaced."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

from common.errors import Invalid

LOOK_SECONDS = 10.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where a server's certificate, with those between it and its authority, and its key are."""

    chain: Path
    key: Path

    @classmethod
    def of(cls, chain: Path | None, key: Path | None, *, names: str) -> "Certificate | None":
        """The certificate of two settings, ``names``; None where neither is set.

        Raises:
            Invalid: one is missing, or they cannot be used.
        """
        if chain is None and key is None:
            return None
        if chain is None or key is None:
            raise Invalid(f"Of {names} one alone is set.", remedy="Set both, or none.")
        found = cls(chain, key)
        found.context()
        return found

    def context(self) -> ssl.SSLContext:
        """What a server listens with: TLS 1.2 or newer.

        Raises:
            Invalid: the files cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        try:
            # A key with a passphrase would be asked for on the terminal.
            context.load_cert_chain(self.chain, self.key, password="")
        except OSError as error:  # ssl.SSLError is one
            raise Invalid(
                f"The certificate {self.chain} cannot be used with the key {self.key}:"
                f" {error.strerror or type(error).__name__}.",
                remedy="Both are PEM files, the key without a passphrase, and fit each other.",
            ) from error
        return context

    async def follow(self, context: ssl.SSLContext) -> None:
        """Until cancelled: load the files again into ``context`` when they were replaced.

        Connections that stand are not touched. Files that do not fit each other, as between two
        steps of a replacement, are passed over and looked at again.
        """
        seen = self._state()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._state()
            if now == seen or None in now:
                continue
            try:
                self.context()
                context.load_cert_chain(self.chain, self.key, password="")
            except (Invalid, OSError) as error:
                log.warning("the new certificate cannot be used", reason=str(error))
                continue
            seen = now
            log.info("certificate loaded", file=str(self.chain))

    def _state(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(map(_identity, (self.chain, self.key)))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
