"""Uploaded files: what is refused, and that ordinary ones pass."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.validation import archives, files
from gateway.validation.files import inspect_file

LIMIT = 1 << 20
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde"
SHELL = b"#!/bin/sh\nrm -rf /\n"


def zipped(members: dict[str, bytes], *, link: bool = False) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o120777 if link else 0o100644) << 16
            archive.writestr(info, content)
    return held.getvalue()


def tarred(members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def look(name: str, content: bytes, content_type: str = "") -> files.FileInspection:
    return inspect_file(name, content_type, io.BytesIO(content), len(content), LIMIT)


WORD = zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"})
FINE = [
    ("report.pdf", PDF, "application/pdf"),
    ("Zażółć gęślą.pdf", PDF, ""),
    ("数据.png", PNG, "image/png"),
    ("example.com.pdf", PDF, "application/pdf"),
    ("report.v1.2.pdf", PDF, "application/octet-stream"),
    ("notes.txt", b"select a table; drop me a line\n", "text/plain"),
    ("table.csv", b"a,b\n1,2\n3,4\n", "text/csv"),
    ("data.json", b'{"a": 1}', "application/json"),
    ("letter.docx", WORD, ""),
    ("backup.zip", zipped({"a/b.txt": b"hello"}), "application/zip"),
    ("backup.tar.gz", gzip.compress(tarred({"a/b.txt": b"hello"})), "application/gzip"),
    ("log.gz", gzip.compress(b"line\n" * 50_000), ""),
    ("log.bz2", bz2.compress(b"line\n"), ""),
    ("log.xz", lzma.compress(b"line\n"), ""),
    ("pos.db", b"SQLite format 3\0" + bytes(84), ""),
]


@pytest.mark.parametrize(("name", "content", "content_type"), FINE, ids=[f[0] for f in FINE])
def test_ordinary_files_pass(name: str, content: bytes, content_type: str) -> None:
    """Otherwise people learn to go around the check."""
    found = look(name, content, content_type)
    assert (found.errors, found.warnings) == ([], [])


REFUSED = [
    ("empty.txt", b"", files.EMPTY),
    ("large.txt", b"x" * (LIMIT + 1), files.TOO_LARGE),
    ("...", b"x", files.NO_NAME),
    ("../passwd.txt", b"x", files.TRAVERSAL),
    ("a\\b.txt", b"x", files.TRAVERSAL),
    ("C:evil.txt", b"x", files.TRAVERSAL),
    ("a\0.txt", b"x", files.BAD_NAME),
    ("a\n.txt", b"x", files.BAD_NAME),
    ("txt.\u202efdp.txt", b"x", files.BAD_NAME),
    ("nul.txt", b"x", files.BAD_NAME),
    ("x" * 300 + ".txt", b"x", files.BAD_NAME),
    ("run.exe", b"x", files.NOT_ALLOWED),
    ("run.EXE. ", b"x", files.NOT_ALLOWED),
    ("run.\uff45\uff58\uff45", b"x", files.NOT_ALLOWED),
    ("picture.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", files.NOT_ALLOWED),
    ("invoice.pdf.exe", b"x", files.DOUBLE),
    ("shell.php.jpg", b"x", files.DOUBLE),
    ("picture.png", PDF, files.MISMATCH),
    ("picture.png", SHELL, files.NOT_ALLOWED),
    ("notes.txt", b"<!DOCTYPE html><html><script>x</script>", files.MISMATCH),
    ("bomb.zip", zipped({"zeros": bytes(20 << 20)}), archives.BOMB),
    ("bomb.gz", gzip.compress(bytes(20 << 20)), archives.BOMB),
    ("bomb.bz2", bz2.compress(bytes(20 << 20)), archives.BOMB),
    ("bomb.xz", lzma.compress(bytes(20 << 20)), archives.BOMB),
    ("slip.zip", zipped({"../../etc/cron.d/x": b"x"}), archives.ESCAPE),
    ("slip.zip", zipped({"..\\x": b"x"}), archives.ESCAPE),
    ("slip.tar", tarred({"/etc/passwd": b"x"}), archives.ESCAPE),
    ("slip.tgz", gzip.compress(tarred({"a/../../b": b"x"})), archives.ESCAPE),
    ("link.zip", zipped({"a": b"/etc/passwd"}, link=True), archives.LINK),
    ("link.tar", tarred({"a": b""}, tarfile.SYMTYPE), archives.LINK),
    ("many.zip", zipped({str(n): b"" for n in range(10_001)}), archives.MANY),
    ("macro.docx", zipped({"word/vbaProject.bin": b"x"}), archives.MACROS),
    ("cut.gz", gzip.compress(random.Random(1).randbytes(9000))[:-20], archives.BROKEN),
]


@pytest.mark.parametrize(("name", "content", "error"), REFUSED, ids=[repr(r[0]) for r in REFUSED])
def test_what_would_do_harm_is_refused(name: str, content: bytes, error: str) -> None:
    """Otherwise an upload runs, fills the disk or writes beside its folder."""
    found = look(name, content)
    assert not found.valid
    assert error in found.errors


def test_a_content_type_that_is_not_the_content_is_refused() -> None:
    """Otherwise a page is served from what was declared a picture."""
    assert look("a.pdf", PDF, "image/png").errors == [files.DECLARED]


def test_what_may_be_meant_well_is_a_warning() -> None:
    """Otherwise archives of archives and forms cannot be kept, or nobody is told."""
    nested = zipped({"inner.zip": WORD, "setup.exe": b"MZ"})
    assert look("a.zip", nested).warnings == [archives.NESTED, archives.RUNS]
    assert look("a.pdf", PDF + b"<< /OpenAction 1 >>").warnings == [files.ACTIVE_PDF]
    assert look("a.unheard", b"x").warnings == [files.UNKNOWN]


@given(st.text(max_size=40), st.binary(max_size=300), st.sampled_from(["", "text/plain", "\0"]))
def test_no_file_makes_the_check_fail(name: str, content: bytes, content_type: str) -> None:
    """Otherwise a strange upload is an error 500."""
    look(name, content, content_type)


@given(
    st.sampled_from([f[:2] for f in FINE if len(f[1]) < 3000]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
)
def test_no_damaged_archive_makes_the_check_fail(
    sample: tuple[str, bytes], changes: list[tuple[int, int]]
) -> None:
    """Otherwise a crafted archive is an error 500."""
    damaged = bytearray(sample[1])
    for place, value in changes:
        damaged[place % len(damaged)] = value
    look(sample[0], bytes(damaged))
