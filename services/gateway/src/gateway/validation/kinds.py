"""Kinds of file: what a name's extension promises, and what content may stand behind it."""

from collections.abc import Mapping
from types import MappingProxyType

# Would run, or run something, where it is opened or served. Never accepted.
_DANGEROUS = (
    "exe dll com scr pif cpl msi msp msix appx bat cmd ps1 psm1 vbs vbe js jse mjs ws wsf wsh hta"
    " lnk reg inf jar war ear class apk ipa dmg pkg deb rpm run bin elf so dylib sys sh bash zsh"
    " csh py pyc pl rb lua php php3 php4 php5 php7 php8 phtml phar pht asp aspx ashx asmx asax cer"
    " jsp jspx jsw cgi fcgi htaccess swf chm html htm xhtml shtml mht svg svgz xsl xslt iso img vhd"
    " docm dotm xlsm xltm xlam pptm potm ppam sldm application gadget desktop url scf"
)
DANGEROUS = frozenset(_DANGEROUS.split())
# Run even where another extension follows: servers read every part of a name.
_SERVED = "php php3 php4 php5 php7 php8 phtml phar asp aspx jsp jspx cgi fcgi shtml htaccess exe"
SERVED = frozenset(_SERVED.split())
EXECUTABLE = frozenset(
    {
        "application/vnd.microsoft.portable-executable",
        "application/x-dosexec",
        "application/x-msdownload",
        "application/x-executable",
        "application/x-pie-executable",
        "application/x-sharedlib",
        "application/x-object",
        "application/x-mach-binary",
        "application/x-java-applet",
        "application/java-archive",
        "application/x-ms-shortcut",
        "application/x-shellscript",
        "text/x-shellscript",
        "text/x-php",
        "text/x-msdos-batch",
        "text/x-script.python",
        "text/x-perl",
        "text/x-ruby",
        "text/javascript",
        "application/javascript",
        "text/html",
        "image/svg+xml",
    }
)

_TEXT = ("text/plain", "application/x-empty", "inode/x-empty")
_ZIP = "application/zip"
_OLE = ("application/x-ole-storage", "application/cdfv2", "application/msword")
_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."

EXPECTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "pdf": ("application/pdf",),
        "png": ("image/png", "image/apng", "image/vnd.mozilla.apng"),
        "jpg": ("image/jpeg",),
        "jpeg": ("image/jpeg",),
        "gif": ("image/gif",),
        "webp": ("image/webp",),
        "bmp": ("image/bmp", "image/x-ms-bmp"),
        "tif": ("image/tiff",),
        "tiff": ("image/tiff",),
        "ico": ("image/vnd.microsoft.icon", "image/x-icon"),
        "txt": (*_TEXT, "text/"),
        "log": (*_TEXT, "text/"),
        "md": (*_TEXT, "text/"),
        "csv": (*_TEXT, "text/csv", "application/csv"),
        "tsv": (*_TEXT, "text/tab-separated-values", "text/csv"),
        "json": (*_TEXT, "application/json", "application/x-ndjson"),
        "jsonl": (*_TEXT, "application/json", "application/x-ndjson"),
        "xml": (*_TEXT, "text/xml", "application/xml"),
        "yaml": (*_TEXT, "text/", "application/yaml", "application/x-yaml"),
        "yml": (*_TEXT, "text/", "application/yaml", "application/x-yaml"),
        "toml": (*_TEXT, "text/", "application/toml"),
        "ini": (*_TEXT, "text/", "application/x-wine-extension-ini"),
        "conf": (*_TEXT, "text/"),
        "sql": (*_TEXT, "text/", "application/sql"),
        "rtf": ("text/rtf", "application/rtf"),
        "zip": (_ZIP,),
        "docx": (_ZIP, f"{_OPEN_XML}wordprocessingml.document"),
        "xlsx": (_ZIP, f"{_OPEN_XML}spreadsheetml.sheet"),
        "pptx": (_ZIP, f"{_OPEN_XML}presentationml.presentation"),
        "odt": (_ZIP, f"{_OPEN_DOCUMENT}text"),
        "ods": (_ZIP, f"{_OPEN_DOCUMENT}spreadsheet"),
        "odp": (_ZIP, f"{_OPEN_DOCUMENT}presentation"),
        "epub": (_ZIP, "application/epub+zip"),
        "doc": _OLE,
        "xls": (*_OLE, "application/vnd.ms-excel"),
        "ppt": (*_OLE, "application/vnd.ms-powerpoint"),
        "gz": ("application/gzip", "application/x-gzip"),
        "tgz": ("application/gzip", "application/x-gzip"),
        "bz2": ("application/x-bzip2", "application/x-bzip"),
        "xz": ("application/x-xz",),
        "zst": ("application/zstd", "application/x-zstd"),
        "tar": ("application/x-tar", "application/x-ustar", "application/x-gtar"),
        "7z": ("application/x-7z-compressed",),
        "rar": ("application/x-rar", "application/vnd.rar"),
        "mp3": ("audio/mpeg",),
        "wav": ("audio/x-wav", "audio/wav", "audio/vnd.wave"),
        "ogg": ("audio/ogg", "video/ogg", "application/ogg"),
        "mp4": ("video/mp4", "audio/mp4", "video/x-m4v"),
        "mov": ("video/quicktime",),
        "webm": ("video/webm", "video/x-matroska"),
        "db": ("application/vnd.sqlite3", "application/x-sqlite3"),
        "sqlite": ("application/vnd.sqlite3", "application/x-sqlite3"),
    }
)
"""What libmagic calls the content behind an extension; ``text/`` stands for any text."""


def fits(mime: str, wanted: tuple[str, ...]) -> bool:
    """Whether content of this kind is among those."""
    return any(mime == each or (each.endswith("/") and mime.startswith(each)) for each in wanted)
