r"""What attacks look like in text. Each pattern is structure that ordinary prose does not have.

Every pattern is linear in the length of the text: it begins with a literal or a small class, and
whatever repeats in it is bounded.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Threat(StrEnum):
    """What a suspicious text would try."""

    XSS = "xss"
    SQL = "sql_injection"
    PATH = "path_traversal"
    COMMAND = "command_injection"
    TEMPLATE = "template_injection"
    CRLF = "header_injection"


@dataclass(frozen=True, slots=True)
class Signature:
    """A pattern, and what it is a sign of."""

    threat: Threat
    pattern: re.Pattern[str]


_TAGS = (
    "script|iframe|object|embed|applet|meta|base|link|svg|math|form|frame|frameset|style|xml|layer"
    "|template|noscript"
)
_PROGRAMS = (
    "cat|ls|rm|cp|mv|id|whoami|uname|wget|curl|nc|ncat|netcat|bash|sh|zsh|ksh|python3?|perl|ruby"
    "|php|node|powershell|pwsh|cmd|certutil|chmod|chown|kill|ping|nslookup|dig|telnet|ssh|scp"
    "|touch|echo|sleep|env|ps|sudo|su|dd|tar|base64|xargs|tee|mkfifo|net|type|del|dir"
)
_TELLING = "id|whoami|uname|ls|ps|sh|bash|zsh|powershell|pwsh|ifconfig|ipconfig|netstat|hostname"
_ARGUMENT = r"(?:[-/~.$%\\\"'`]|https?:|\|)"
_SOURCES: tuple[tuple[Threat, str], ...] = (
    (Threat.XSS, rf"<\s{{0,8}}/?\s{{0,8}}(?:{_TAGS})(?=[\s/>:]|$)"),
    (Threat.XSS, r"<[a-z][^<>]{0,400}?[\s/\"']on[a-z]{3,24}\s{0,8}="),
    (
        Threat.XSS,
        r"[\"'][\s/]{0,8}on(?:error|load|click|focus|mouse[a-z]{2,6}|key[a-z]{2,5})\s{0,8}=",
    ),
    (
        Threat.XSS,
        r"(?:javascript|vbscript|livescript)\s{0,4}:\s{0,8}[\w.$\[\]\"'/*%]{1,60}[(=`;\[]",
    ),
    (
        Threat.XSS,
        r"(?:src|href|action|data|style)\s{0,8}=\s{0,8}[\"']?\s{0,8}(?:java|vb)script\s{0,4}:",
    ),
    (Threat.XSS, r"data:\s{0,4}(?:text/html|image/svg\+xml|application/xhtml)"),
    (Threat.XSS, r"<!\[cdata\[|<!doctype\s{1,8}html|<!entity\s"),
    (
        Threat.SQL,
        (
            r"['\"`]\s{0,16}(?:or|and|\|\||&&)\s{1,16}(?:not\s{1,8})?\(?(?:"
            r"['\"][^'\"]{0,60}['\"]\s{0,8}(?:=|<>|!=|<|>|like\b)|"
            r"\d{1,9}\s{0,8}(?:=|<>|!=|<|>)\s{0,8}\d|"
            r"[\w.]{1,60}\s{0,8}(?:=|<>|!=|<|>|like\b)\s{0,8}['\"]|"
            r"[\w.]{1,60}\s{1,8}in\s{0,8}\(\s{0,8}(?:select\b|['\"\d]))"
        ),
    ),
    (Threat.SQL, r"\b(?:or|and)\s{1,16}(\d{1,9})\s{0,16}=\s{0,16}\1\b"),
    (Threat.SQL, r"['\"]\s{0,16}(?:or|and)\s{1,16}(?:true|false|1)\s{0,16}(?:--|#|/\*|$)"),
    (
        Threat.SQL,
        (
            r"\bunion\s{1,16}(?:all\s{1,16}|distinct\s{1,16})?select[\s(]{1,16}"
            r"(?:null\b|\d|\*|@@|['\"]|[\w.,`\[\] ]{1,200}\bfrom\s{1,8}[\w\"`\[])"
        ),
    ),
    (
        Threat.SQL,
        (
            r";\s{0,16}(?:drop|alter|truncate|create)\s{1,16}"
            r"(?:table|database|schema|view|index|user|role|function|procedure|trigger|column)\b"
        ),
    ),
    (Threat.SQL, r";\s{0,16}(?:delete\s{1,16}from|insert\s{1,16}into)\s{1,16}[\w.\"`\[\]]{1,60}"),
    (Threat.SQL, r";\s{0,16}update\s{1,16}[\w.\"`]{1,60}\s{1,16}set\s{1,16}[\w.\"`]{1,60}\s{0,8}="),
    (
        Threat.SQL,
        (
            r";\s{0,16}(?:exec(?:ute)?\s{1,8}(?:xp_|sp_|@|\()|declare\s{1,8}@"
            r"|shutdown\s{0,8}(?:--|with\b)"
            r"|grant\s{1,8}all\b[\w\s]{0,20}\bon\s)"
        ),
    ),
    (
        Threat.SQL,
        r"['\"]\)?(?:\s{0,8};\s{0,8}--|\s{0,8}(?:--|#)\s{0,8}$|\s{0,4}/\*)|'\)?;?--(?:[\s+]|$)",
    ),
    (
        Threat.SQL,
        r"\b(?:pg_sleep|benchmark|load_file|extractvalue|updatexml|dbms_pipe\.\w{1,30})\s{0,8}\(",
    ),
    (
        Threat.SQL,
        (
            r"\bwaitfor\s{1,8}delay\s{1,8}['\"]|\bsleep\s{0,4}\(\s{0,4}\d{1,6}\s{0,4}\)"
            r"|\bxp_cmdshell\b"
        ),
    ),
    (Threat.SQL, r"\binto\s{1,8}(?:out|dump)file\s{1,8}['\"]|\binformation_schema\s{0,4}\."),
    (Threat.PATH, r"(?:^|[\s=:;,|(\[\"'/\\])\.\.[/\\]"),
    (Threat.PATH, r"[/\\]\.\.(?:[/\\]|$)"),
    (Threat.PATH, r"\.\.(?:%2f|%5c|%252f|%255c|%c0%af)|%(?:25)?2e%(?:25)?2e"),
    (
        Threat.PATH,
        r"(?:^|[\s=:\"'(/])/(?:etc/(?:passwd|shadow|sudoers|hosts)|proc/self/|root/\.ssh)",
    ),
    (Threat.PATH, r"[a-z]:[/\\]{1,2}(?:windows[/\\]{1,2}(?:system32|win\.ini)|boot\.ini)|file:///"),
    (Threat.COMMAND, rf"(?:[;&|\n]|\|\||&&)\s{{0,8}}(?:{_PROGRAMS})\s{{1,8}}{_ARGUMENT}"),
    (Threat.COMMAND, rf"(?:\|\||&&|[;|])\s{{0,8}}(?:{_TELLING})\s{{0,8}}$"),
    (Threat.COMMAND, rf"[\w\"')]\|(?:{_TELLING})(?:\s|$)"),
    (Threat.COMMAND, rf"\$\(\s{{0,8}}(?:[\w./-]{{0,60}}/)?(?:{_PROGRAMS})\b|\$\{{ifs\}}"),
    (
        Threat.COMMAND,
        rf"`\s{{0,8}}(?:[\w./-]{{0,60}}/)?(?:{_PROGRAMS})(?:`|\s{{1,8}}[^`\n]{{0,200}}`)",
    ),
    (Threat.COMMAND, r"/bin/(?:ba|z|k|da|c)?sh\b|/dev/tcp/|\(\)\s{0,4}\{\s{0,4}:;\s{0,4}\}"),
    (Threat.TEMPLATE, r"\{\{[^{}]{0,200}[.*+()\[\]|'\"][^{}]{0,200}\}\}"),
    (
        Threat.TEMPLATE,
        r"\{%[-\s]{0,4}(?:if|for|set|import|include|extends|block|macro|raw|with|print)\b",
    ),
    (Threat.TEMPLATE, r"[$#@]\{[^{}]{0,200}(?:[.*:+(]|\d\s{0,4}-)[^{}]{0,200}\}|\$\{\s{0,4}jndi"),
    (
        Threat.TEMPLATE,
        r"<%[=@!\s][^%]{0,200}%>|<\?(?:php|=)|__(?:class|globals|import|builtins|mro)__",
    ),
    (
        Threat.CRLF,
        r"[\r\n]\s{0,8}(?:set-cookie\s{0,4}:\s{0,8}[\w.-]{1,60}=|http/[\d.]{1,3}\s{1,4}\d{3})",
    ),
    (Threat.CRLF, r"[\r\n]\s{0,8}location\s{0,4}:\s{0,8}(?:https?:)?//"),
    (Threat.CRLF, r"[\r\n]\s{0,8}(?:content-length\s{0,4}:\s{0,8}\d|transfer-encoding\s{0,4}:)"),
    (Threat.CRLF, r"%(?:25)?0d%(?:25)?0a|%e5%98%8[ad]"),
)

SIGNATURES = tuple(
    Signature(threat, re.compile(source, re.IGNORECASE)) for threat, source in _SOURCES
)


def threats_in(text: str) -> frozenset[Threat]:
    """What this text, taken as it stands, looks like."""
    found: set[Threat] = set()
    for signature in SIGNATURES:
        if signature.threat not in found and signature.pattern.search(text):
            found.add(signature.threat)
    return frozenset(found)
