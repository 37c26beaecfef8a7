"""Makes a tree of everything that is hard to back up and bring back."""

import os
import random
import stat
import struct
from pathlib import Path

DATA = 64 << 10
NAMES = (
    *(b"plain", b"with space", b"-rf", b"new\nline", b"tab\tand\x01control", b"\xff\xfe not utf-8"),
    *(b"caf\xc3\xa9", b"cafe\xcc\x81", b"quote'\"`$(x)", b"back\\slash", b"star*?[a]", b"#hash!"),
    *(b"...", b" leading", b"trailing ", b"x.tmp\n", b"%41", b"n" * 255, b"\xe2\x82\xac" * 85),
)


def make_nasty_tree(root: Path) -> None:
    """Fill the new folder ``root``. As root it also has devices, foreign owners and capabilities.

    It is the same tree each time, but for the names of users.
    """
    root.mkdir()
    here = os.fsencode(root)
    _names(here + b"/names")
    _contents(here + b"/contents")
    _links(here + b"/links")
    _modes(here + b"/modes")
    _attributes(here + b"/attributes")
    _folders(here + b"/folders")
    if os.geteuid() == 0:
        _privileged(here + b"/privileged")
    _times(here)


def _write(path: bytes, content: bytes = b"content\n") -> bytes:
    with open(path, "xb") as file:
        file.write(content)
    return path


def _names(folder: bytes) -> None:
    os.mkdir(folder)
    for name in NAMES:
        _write(os.path.join(folder, name), b"content of " + name)
        os.mkdir(os.path.join(folder, name[:250] + b".dir"))
        _write(os.path.join(folder, name[:250] + b".dir", name))


def _contents(folder: bytes) -> None:
    os.mkdir(folder)
    noise = random.Random(7)
    _write(folder + b"/empty", b"")
    _write(folder + b"/one", b"\0")
    _write(folder + b"/zeros that are data", bytes(3 * DATA))
    _write(folder + b"/large", noise.randbytes(5 << 20))
    _write(folder + b"/text", b"all the same line\n" * 100_000)
    for name, pieces, size in (
        (b"/hole first", [5 * DATA], 6 * DATA),
        (b"/hole last", [0], 50 * DATA + 1),
        (b"/holes between", [0, 3 * DATA, 9 * DATA], 10 * DATA),
        (b"/only a hole", [], 20 * DATA),
        (b"/large hole", [5 << 30], (5 << 30) + DATA),
    ):
        with open(folder + name, "xb") as file:
            for offset in pieces:
                file.seek(offset)
                file.write(noise.randbytes(DATA))
            file.truncate(size)
            os.fsync(file.fileno())


def _links(folder: bytes) -> None:
    os.mkdir(folder)
    for number, target in enumerate(
        (b"../names/plain", b"/etc/passwd", b"nowhere", b"..", b"loop", b"\xff\n", b"t" * 4000)
    ):
        os.symlink(target, folder + b"/symlink%d" % number)
    os.symlink(b"loop", folder + b"/loop")
    os.mkdir(folder + b"/a")
    os.mkdir(folder + b"/z")
    first = _write(folder + b"/m-first", b"many names")
    for other in (b"/a/second", b"/z/third", b"/\xfffourth"):
        os.link(first, folder + other)
    os.mkfifo(folder + b"/fifo")
    os.link(folder + b"/fifo", folder + b"/z/fifo again")
    os.link(folder + b"/symlink2", folder + b"/z/symlink again", follow_symlinks=False)


def _modes(folder: bytes) -> None:
    os.mkdir(folder)
    for mode in (0o000, 0o400, 0o600, 0o644, 0o755, 0o777, 0o4755, 0o2755, 0o1644):
        if mode & 0o400 or os.geteuid() == 0:
            os.chmod(_write(folder + b"/file %o" % mode), mode)
    for mode in (0o500, 0o700, 0o755, 0o1777, 0o2775):
        os.mkdir(folder + b"/folder %o" % mode)
        _write(folder + b"/folder %o/inside" % mode)
        os.chmod(folder + b"/folder %o" % mode, mode)


def _attributes(folder: bytes) -> None:
    os.mkdir(folder)
    file = _write(folder + b"/file")
    for path in (file, folder):
        os.setxattr(path, b"user.comment", b"\0binary\xff")
        os.setxattr(path, b"user.empty", b"")
        os.setxattr(path, b"user." + b"n" * 200, b"v" * 1000)
    os.setxattr(_write(folder + b"/acl"), b"system.posix_acl_access", acl(named_user=4711))
    os.mkdir(folder + b"/default acl")
    os.setxattr(folder + b"/default acl", b"system.posix_acl_default", acl(named_user=4711))
    os.chmod(_write(folder + b"/read-only"), 0o600)
    os.setxattr(folder + b"/read-only", b"user.x", b"1")
    os.chmod(folder + b"/read-only", 0o400)


def acl(named_user: int) -> bytes:
    """An access control list that lets one more user read, as the kernel stores it."""
    nobody = 0xFFFFFFFF
    entries = ((1, 6, nobody), (2, 4, named_user), (4, 4, nobody), (16, 4, nobody), (32, 0, nobody))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _folders(folder: bytes) -> None:
    os.mkdir(folder)
    os.mkdir(folder + b"/empty")
    os.makedirs(folder + b"/" + b"/".join([b"deep"] * 60) + b"/empty")
    os.mkdir(folder + b"/many")
    for number in range(300):
        _write(folder + b"/many/%d" % number, b"%d" % number)


def _privileged(folder: bytes) -> None:
    os.mkdir(folder)
    os.mknod(folder + b"/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(folder + b"/loop", stat.S_IFBLK | 0o660, os.makedev(7, 0))
    os.chown(_write(folder + b"/owned"), 12345, 54321)
    os.symlink(b"owned", folder + b"/symlink")
    os.chown(folder + b"/symlink", 12345, 54321, follow_symlinks=False)
    os.chown(_write(folder + b"/setuid"), 12345, 54321)
    os.chmod(folder + b"/setuid", 0o6755)
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    os.setxattr(_write(folder + b"/capable"), b"security.capability", capability)
    os.setxattr(_write(folder + b"/trusted"), b"trusted.mark", b"kept")
    os.mkdir(folder + b"/theirs")
    os.chown(folder + b"/theirs", 12345, 54321)


def _times(root: bytes) -> None:
    """Give every entry a time of its own, to the nanosecond, some before 1970, after 2038, 2262."""
    moment = 1_700_000_000_000_000_001
    for folder, folders, files in os.walk(root, topdown=False):
        for name in sorted(folders + files):
            moment += 1_000_003
            path = os.path.join(folder, name)
            os.utime(path, ns=(moment, moment), follow_symlinks=False)
    os.utime(root + b"/contents/one", ns=(0, -86_400_000_000_001))
    os.utime(root + b"/contents/empty", ns=(0, 4_200_000_000_123_456_789))
    os.utime(root + b"/contents/text", ns=(0, 15_032_385_535_123_456_789))
    os.utime(root, ns=(0, 1_234_567_890_987_654_321))
