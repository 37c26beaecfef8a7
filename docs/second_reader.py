"""A second reader of the repository format, written from docs/format.md alone.

It shares no code with the product and needs only cryptography, zstandard and blake3. It proves that
the document says what the format is, and is the last resort of who has a repository and its key, or
a recovery key in its place. What the system refuses, as owners without root, is told and left out.

    BACKUP_ENCRYPTION_KEY=... python second_reader.py REPOSITORY TARGET [SNAPSHOT]

Restores the newest snapshot, or the one whose id starts with SNAPSHOT, one folder a component.
"""

import functools
import hashlib
import hmac
import json
import os
import struct
import sys
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import zstandard
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
folder = functools.cache(lambda path: os.open(path, os.O_RDONLY))


def require(condition: object, what: str) -> None:
    if not condition:
        raise ValueError(f"damaged: {what}")


def key_pair(seed: bytes) -> tuple[bytes, MLKEM768X25519PrivateKey]:
    raw = hashlib.shake_256(seed).digest(96)
    first = MLKEM768PrivateKey.from_seed_bytes(raw[:64])
    second = X25519PrivateKey.from_private_bytes(raw[64:])
    public = first.public_key().public_bytes_raw() + second.public_key().public_bytes_raw()
    return public, MLKEM768X25519PrivateKey(first, second)


def hkdf(key: bytes, salt: bytes, info: str) -> bytes:
    return hmac.digest(hmac.digest(salt, key, "sha256"), info.encode() + b"\1", "sha256")


def framed(raw: bytes, kind: bytes, mac_key: bytes | None = None) -> dict[str, Any]:
    """The JSON body of ``config`` or of a key object, checked by checksum and MAC."""
    require(raw[:8] == b"SROOM" + kind + b"\x01\x00", "header")
    require(blake3(raw[:-32]).digest() == raw[-32:], "checksum")
    require(not mac_key or blake3(raw[:-64], key=mac_key).digest() == raw[-64:-32], "MAC")
    require(struct.unpack_from("<I", raw, 8) == (len(raw) - 76,), "length")
    return dict(json.loads(raw[12:-64]))


def sealed(path: Path, kind: bytes, key: bytes, info: str) -> bytes:
    raw = path.read_bytes()
    require(blake3(raw).hexdigest() == path.name, path.name)
    require(raw[:8] == b"SROOM" + kind + b"\x01\x00", "header")
    return AESGCM(hkdf(key, raw[8:40], info)).decrypt(bytes(12), raw[40:], raw[:40])


Record = tuple[int, int, int, int, int]  # number, offset, sealed length, codec, raw length
Place = tuple[str, str, Record, int, int]  # pack, key id, record, offset in the record, length


def directory(raw: bytes, pack: str, key: str) -> Iterator[tuple[bytes, Place]]:
    records, chunks = struct.unpack_from("<xII", raw)
    at, chunk = 56, 9 + 13 * records
    require(len(raw) == chunk + 20 * chunks, "directory")
    for number in range(records):
        codec, stored, size, count = struct.unpack_from("<BIII", raw, 9 + 13 * number)
        record, offset = (number, at, stored, codec, size), 0
        for _ in range(count):
            name, length = struct.unpack_from("<16sI", raw, chunk)
            yield name, (pack, key, record, offset, length)
            offset, chunk = offset + length, chunk + 20
        require(offset == size, "record size")
        at += stored


class Cursor(BytesIO):
    """Reads bytes, and little-endian numbers by their code in ``struct``, one after another."""

    def take(self, size: int) -> bytes:
        require(len(raw := self.read(size)) == size, "block")
        return raw

    def number(self, code: str) -> int:
        return int(struct.unpack("<" + code, self.take(struct.calcsize(code)))[0])

    def lz4_length(self, nibble: int, more: int = 255) -> int:
        while nibble >= 15 and more == 255:
            more = self.number("B")
            nibble += more
        return nibble


def lz4_block(raw: bytes, size: int) -> bytes:
    out, cursor = bytearray(), Cursor(raw)
    while True:
        out += cursor.take(cursor.lz4_length((token := cursor.number("B")) >> 4))
        if cursor.tell() == len(raw):
            return bytes(out)
        back = cursor.number("H")
        for _ in range(cursor.lz4_length(token & 15) + 4):
            out.append(out[-back])
        require(len(out) <= size, "LZ4 size")


def decompress(codec: int, raw: bytes, size: int) -> bytes:
    zstd, inflate = zstandard.ZstdDecompressor().decompress, zlib.decompressobj().decompress
    require(codec < 4, f"codec {codec}")
    expand: Callable[[bytes, int], bytes] = [lambda it, _: it, zstd, inflate, lz4_block][codec]
    require(len(raw := expand(raw, size + 1)) == size, "raw length")
    return raw


class Repository:
    """A repository opened with its encryption key or with a recovery key."""

    def __init__(self, root: Path, key: str) -> None:
        self.root, body = root, framed(raw := (root / "config").read_bytes(), b"C")
        self.repo, own = bytes.fromhex(body["repository"]), b64decode(body["writer_key"])
        key = key if body["encrypted"] else "strongroom: not encrypted"
        info = b"strongroom/v1/writer-key" + self.repo
        if key.startswith("srk1-"):
            pairs = [(public, private)] = [key_pair(bytes.fromhex(key[5:]))]
            rows = {it["public_key"]: b64decode(it["writer_key"]) for it in body["recovery"]}
            self.writer = SUITE.decrypt(rows[b64encode(public).decode()], private, info)
        else:
            salt, iterations = b64decode(body["sealing"]["salt"]), body["sealing"]["iterations"]
            kek = AESGCM(hashlib.pbkdf2_hmac("sha256", key.encode(), salt, iterations))
            self.writer = kek.decrypt(own[:12], own[12:], info)
            info = b"strongroom/v1/private-key" + self.repo
            seeds = [b64decode(it["private_key"]) for it in [body, *body.get("former", [])]]
            pairs = [key_pair(kek.decrypt(it[:12], it[12:], info)) for it in seeds]
        self.private = {blake3(public).hexdigest()[:32]: private for public, private in pairs}
        framed(raw, b"C", hkdf(self.writer, b"", "strongroom/v1/config-mac"))
        self.chunk_key = self.derived("chunk-id")
        self.run_keys = {path.name: self._run_key(path) for path in (root / "keys").iterdir()}
        self.index = dict(self._segments())

    def derived(self, purpose: str) -> bytes:
        return hkdf(self.writer, self.repo, f"strongroom/v1/{purpose}")

    def _run_key(self, path: Path) -> bytes:
        body = framed(path.read_bytes(), b"K", self.derived("key-mac"))
        info = b"strongroom/v1/run-key" + self.repo + bytes.fromhex(body["key"] + body["run"])
        mine = next(row for row in body["recipients"] if row["recipient"] in self.private)
        return SUITE.decrypt(b64decode(mine["wrapped"]), self.private[mine["recipient"]], info)

    def _segments(self) -> Iterator[tuple[bytes, Place]]:
        for path in (self.root / "index").iterdir():
            body = sealed(path, b"I", self.derived("index"), "strongroom/v1/segment")
            (packs,), at = struct.unpack_from("<I", body), 4
            for _ in range(packs):
                pack, key, _, _, size = struct.unpack_from("<32s16sQQI", body, at)
                place = self.root / "packs" / pack.hex()[:2] / pack.hex()
                if place.exists() and key.hex() in self.run_keys:
                    yield from directory(body[at + 68 : at + 68 + size], pack.hex(), key.hex())
                at += 68 + size

    def snapshots(self) -> list[tuple[str, dict[str, Any]]]:
        key, paths = self.derived("chain"), (self.root / "snapshots").iterdir()
        bodies = [(it.name, sealed(it, b"S", key, "strongroom/v1/snapshot")) for it in paths]
        found = {name: json.loads(body) for name, body in bodies}
        gone = {row["snapshot"] for body in found.values() for row in body.get("removed", [])}
        left = [it for it in found.items() if it[1]["kind"] == "backup" and it[0] not in gone]
        return sorted(left, key=lambda item: item[1]["created"])

    @functools.lru_cache(maxsize=8)  # noqa: B019 - one repository lives as long as the program
    def _record(self, pack: str, key: str, record: Record) -> bytes:
        number, offset, stored, codec, size = record
        with (self.root / "packs" / pack[:2] / pack).open("rb") as file:
            header = file.read(56)
            require(header[:8] == b"SROOMP\x01\x00" and header[8:24].hex() == key, pack)
            ciphertext = os.pread(file.fileno(), stored, offset)
        opener = AESGCM(hkdf(self.run_keys[key], header[24:], "strongroom/v1/pack"))
        raw = opener.decrypt(number.to_bytes(12, "big"), ciphertext, header + b"\0")
        return decompress(codec, raw, size)

    def chunk(self, name: bytes, length: int | None = None) -> bytes:
        pack, key, record, offset, size = self.index[name]
        require(length in (None, size), "chunk length")
        data = self._record(pack, key, record)[offset : offset + size]
        require(blake3(data, key=self.chunk_key).digest()[:16] == name, "chunk id")
        return data

    def content(self, level: int, items: bytes) -> Iterator[bytes]:
        alone = len(items) == 16
        for name, length in [(items, None)] if alone else struct.iter_unpack("<16sI", items):
            data = self.chunk(name, length)
            yield from self.content(level - 1, data) if level else [data]


def entries(block: bytes) -> Iterator[dict[str, Any]]:
    cursor = Cursor(block[1:])
    count, owners, path = cursor.number("I"), [], b""
    for _ in range(cursor.number("H")):
        owners.append((cursor.number("I"), cursor.number("I")))
        _ = cursor.take(cursor.number("B")), cursor.take(cursor.number("B"))  # their names
    for _ in range(count):
        kind, flags, shared, rest, mode, owner = map(cursor.number, "BBHHHH")
        secs, nanos, size = map(cursor.number, "qIQ")
        path = path[:shared] + cursor.take(rest)
        require(not {b".", b".."} & set(path.split(b"/")) and path[:1] != b"/", "path")
        entry: dict[str, Any] = {"kind": kind, "path": path, "mode": mode, "size": size}
        entry.update(owner=owners[owner], mtime=secs * 10**9 + nanos, level=0, items=b"", xattrs=[])
        if flags & 1:
            entry["items"] = cursor.take(16)  # without the length, which is that of the data
        elif flags & 2:
            entry.update(level=cursor.number("B"), items=cursor.take(20 * cursor.number("I")))
        entry["target"] = cursor.take(cursor.number("H") if kind in (2, 3) else 0)
        entry["device"] = [cursor.number("I") if kind in (5, 6) else 0 for _ in range(2)]
        rows = range(cursor.number("I") if flags & 4 else 0)
        entry["extents"] = [(cursor.number("Q"), cursor.number("Q")) for _ in rows] or [(0, size)]
        for _ in range(cursor.number("H") if flags & 8 else 0):
            name, value = cursor.number("H"), cursor.number("I")
            entry["xattrs"].append((cursor.take(name), cursor.take(value)))
        yield entry


def write_file(repository: Repository, entry: dict[str, Any], place: bytes) -> None:
    regions, at, left = iter(entry["extents"]), 0, 0
    with open(place, "xb") as file:
        file.truncate(entry["size"])
        for piece in repository.content(entry["level"], entry["items"]):
            rest = memoryview(piece)
            while rest:
                at, left = (at, left) if left else next(regions)
                count = os.pwrite(file.fileno(), rest[:left], at)
                at, left, rest = at + count, left - count, rest[count:]


def attempt(step: Callable[..., None], *given: Any, **how: Any) -> None:
    try:
        step(*given, **how)
    except OSError as error:
        print(f"left out: {step.__name__}{given[:2]}: {error.strerror}", file=sys.stderr)


def finish(entry: dict[str, Any], place: bytes) -> None:
    """Owner (as root), attributes, mode and time, in the order in which they undo each other."""
    if os.geteuid() == 0:
        attempt(os.chown, place, *entry["owner"], follow_symlinks=False)
    for name, value in entry["xattrs"]:
        attempt(os.setxattr, place, name, value, follow_symlinks=False)
    if entry["kind"] not in (2, 3):
        os.chmod(place, entry["mode"])
    os.utime(place, ns=(entry["mtime"], entry["mtime"]), follow_symlinks=False)


def reach(root: bytes, path: bytes) -> bytes:
    """A name for a path, which may be longer than any that the system takes."""
    place = os.path.join(root, path) if path else root
    while len(place) > 4000:
        cut = place.rindex(b"/", 0, 4000)
        place = b"/proc/self/fd/%d" % folder(place[:cut]) + place[cut:]
    return place


def restore(repository: Repository, component: dict[str, Any], root: bytes) -> None:
    """Make one component's tree at ``root``; folders get their mode and times at the end."""
    tree, folders = component["tree"], []
    for block in repository.content(tree["level"], b64decode(tree["root"])):
        for entry in entries(block) if block[0] == 1 else ():
            place = reach(root, entry["path"])
            if entry["kind"] == 1:
                os.makedirs(place, 0o700, exist_ok=True)
                folders.append((entry, place))
                continue
            if entry["kind"] == 0:
                write_file(repository, entry, place)
            elif entry["kind"] == 2:
                os.symlink(entry["target"], place)
            elif entry["kind"] == 3:
                attempt(os.link, reach(root, entry["target"]), place, follow_symlinks=False)
            else:
                node = {4: 0o010000, 5: 0o020000, 6: 0o060000}[entry["kind"]]
                attempt(os.mknod, place, node, os.makedev(*entry["device"]))
            if os.path.lexists(place):
                finish(entry, place)
    for entry, place in reversed(folders):
        finish(entry, place)


if __name__ == "__main__":
    opened = Repository(Path(sys.argv[1]), os.environ.get("BACKUP_ENCRYPTION_KEY", ""))
    chosen = [body for name, body in opened.snapshots() if name.startswith([*sys.argv, ""][3])]
    for part in chosen[-1]["components"]:
        restore(opened, part, os.path.join(sys.argv[2], part["name"]).encode())
