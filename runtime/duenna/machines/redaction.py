"""Takes the secrets out of text, by their names and by their looks.

Theory of operation. Text is looked over in three ways. *Named* values: a word that
`secret_names.hiding` knows, followed by `=` or `:` in one of their many spellings (of Python,
JSON, JSON in JSON, URLs, headers, HTML); the value is hidden, its name stays. *Addresses*: the
password in `scheme://user:password@host`. *Known looks*: JSON web tokens, PEM blocks, keys of
AWS, Slack, Telegram and others, which need no name. The passes are repeated until nothing
changes, so redacting twice is redacting once, by construction; if they do not come to rest,
nothing of the text is shown.

Each pass is linear in the length of the text: it goes forward only, and what a regular
expression may look ahead is bounded or never looked at again. Text without a mark of any
secret, which is most, is left alone after one quick look.
"""

import re
from typing import Final

from duenna.machines.secret_names import Hiding, hiding, is_no_value, looks_like_a_token, looks_random

HIDDEN: Final = "***"
"""What stands where a secret was."""

_MOST_PASSES: Final = 6
_STEM: Final = re.compile(
    "key|secret|token|pass|pwd|pw|sig|auth|cookie|mnemonic|phrase|credential|jwt|hmac|seed|session|hook"
)


def hide(text: str) -> str:
    """Return *text* with `***` in the place of each secret; the same object if nothing in it is suspicious."""
    if not is_suspicious(text):
        return text
    for _ in range(_MOST_PASSES):
        hidden = _known(_addresses(_named(text)))
        if hidden == text:
            return hidden
        text = hidden
    return HIDDEN


def is_suspicious(text: str) -> bool:
    """Return whether *text* may hold a secret: a quick look, made at every text of every error."""
    low = text.lower()
    return (
        # Written out: a loop over the words takes three times as long.
        "key" in low
        or "token" in low
        or "auth" in low
        or "secret" in low
        or "pass" in low
        or "sig" in low
        or "@" in text
        or "pw" in low
        or "cookie" in low
        or "session" in low
        or "cred" in low
        or "phrase" in low
        or "mnemonic" in low
        or "seed" in low
        or "jwt" in low
        or "hmac" in low
        or "hook" in low
        or "bearer" in low
        or "basic" in low
        or "/bot" in low
        or "AA" in text
        or "eyJ" in text
        or "KIA" in text
        or "SIA" in text
        or "AIza" in text
        or "%40" in text
        or "/ws/" in text
        or "streams=" in text
        or ("://" in text and _ADDRESS.search(text) is not None)
        or (("-" in text or "_" in text) and _may_be_prefixed(text))
    )


def _may_be_prefixed(text: str) -> bool:
    return (
        "sk-" in text
        or "k_live" in text
        or "k_test" in text
        or "glpat-" in text
        or "xox" in text
        or "xapp-" in text
        or "github_" in text
        or "ghp_" in text
        or "gho_" in text
        or "ghu_" in text
        or "ghs_" in text
        or "ghr_" in text
    )


# -- values that have a name -----------------------------------------------------------

# How a quote is spelt: plain, escaped any number of times, and in HTML, URLs and JSON.
_QUOTE: Final = r"(?:\"\"\"|'''|\\*[\"'`]|&quot;|&\#3[49];|&\#x2[27];|%(?:25)*2[27]|\\+u002[27])"
_BEFORE_KEY: Final = re.compile(
    r"(?i)(?<![\w-])(?:api|secret|private|access|signing|listen|session|seed|recovery|backup)[ ]+\Z"
)
_WORD_REST: Final = re.compile(r"[\w-]*+")
_LONGEST_FIRST_WORD: Final = 12
_AFTER: Final = re.compile(
    rf"""
    (?P<close>{_QUOTE})? \]? (?:
        \s*+ : \s*+ (?:str|bytes|SecretStr)(?:\s*+\|\s*+None)? \s*+ = \s*+
      | \s*+ (?P<sep> => | -> | [!:=\uff1a\uff1d]{{1,3}} | %(?:25)*3[AaDd] | &\#(?:58|61|x3[AaDd]); ) \s*+
      | \s*+ , \s*+ {_QUOTE}[vV]alue{_QUOTE} \s*+ : \s*+
      | (?P<tag> > )
      | (?P<pair> \s*+ , \s*+ )
      | (?P<space> [ \t]++ (?:(?:is|was|provided|given)[: ]\s*+)? )
    )
    (?P<prefix> [bBrRuUfF]{{0,2}} (?={_QUOTE}) )?
    (?P<quote>{_QUOTE})?
    """,
    re.VERBOSE,
)
_IN_QUOTES: Final = {
    "'": re.compile(r"(?:[^'\\]|\\.|\\\Z)*+", re.DOTALL),
    '"': re.compile(r'(?:[^"\\]|\\.|\\\Z)*+', re.DOTALL),
}
_STRINGS: Final = r""" "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' """
_IN_BRACKETS: Final = re.compile(
    rf""" [\w.]*+ [\[({{] (?: {_STRINGS} | [^\])}}"'] | ["'][^\])}}]*+ )*+ [\])}}]? | <[^>]*+>? """,
    re.VERBOSE | re.DOTALL,
)
_BARE: Final = re.compile(
    r"""
    (?:(?i:bearer|basic|digest|token)[ ]+)?
    (?: [^\s&;"'<>,)\]}\\] | \\(?![nrt"'\\]) | [,)\]}](?=[^\s&;"'<>,)\]}:=.\\])(?![\w.-]*+[=:]) )*+
    """,
    re.VERBOSE,
)
_LINE: Final = re.compile(r"[^\r\n\"'\\<>]*+")
_WORD: Final = re.compile(r"[^\s,;]*+")
_ESCAPES: Final = "nrtbfv"


def _named(text: str) -> str:
    """Hide the values that stand under the name of a secret."""
    low = text.lower()
    if len(low) != len(text):  # the capitals of some letters are longer: their places would not fit
        low = "".join(letter if len(letter.lower()) > 1 else letter.lower() for letter in text)
    parts: list[str] = []
    done = at = 0
    while (stem := _STEM.search(low, at)) is not None:
        start, at = _word(text, stem, at)
        name = _bare_name(text, start, at)
        kind = hiding(name)
        if kind is Hiding.NOTHING:
            continue
        after = _AFTER.match(text, at)
        span = None if after is None else _value(text, start, name, after, kind)
        if span is not None:
            parts += (text[done : span[0]], HIDDEN)
            done = at = span[1]
    parts.append(text[done:])
    return "".join(parts)


def _word(text: str, stem: re.Match[str], floor: int) -> tuple[int, int]:
    """Return where the word round *stem* begins and ends; what is before *floor* has been looked at."""
    start = stem.start()
    while start > floor and (text[start - 1].isalnum() or text[start - 1] in "_-"):
        start -= 1
    rest = _WORD_REST.match(text, stem.end())
    return start, stem.end() if rest is None else rest.end()


def _bare_name(text: str, start: int, end: int) -> str:
    r"""Return the name at *start*: of ``\nkey`` and of ``%2Ckey`` just ``key``, of ``API key`` both words."""
    name, before = text[start:end], text[start - 1 : start]
    if before == "\\" and name[0] in _ESCAPES:
        return name[1:]
    if before == "%":
        return name[2:]
    if before == " ":
        first = _BEFORE_KEY.search(text[max(0, start - _LONGEST_FIRST_WORD) : start])
        return name if first is None else first[0] + name
    return name


def _value(text: str, begins: int, name: str, after: re.Match[str], kind: Hiding) -> tuple[int, int] | None:
    """Return where the value begins and ends, None if it is no secret."""
    start, quote = after.end(), after["quote"]
    is_spaced = after["space"] is not None
    if after["pair"] is not None:
        return _of_pair(text, begins, after)
    if after["tag"] is not None and not text.startswith("<", begins - 1):
        return None
    if quote is not None:
        end = _end_of_quoted(text, start, quote)
        value = text[start:end]
        is_secret = looks_random(value) if is_spaced else _is_secret(value, kind, in_prose=False)
        return (start, end) if is_secret else None
    if is_spaced:
        return _of_prose(text, name, start, kind)
    if bracketed := _IN_BRACKETS.match(text, start):
        is_login = name.lower() == "auth" and bracketed[0][:2] in {"('", '("'}
        is_secret = is_login or kind in {Hiding.VALUE, Hiding.LINE}
        return bracketed.span() if is_secret and bracketed[0] != HIDDEN else None
    in_prose = not (after["sep"] or "=").startswith("=") and after["close"] is None
    bare = (_LINE if kind is Hiding.LINE else _BARE).match(text, start)
    return _of_bare(bare, kind, in_prose=in_prose)


def _of_bare(bare: re.Match[str] | None, kind: Hiding, *, in_prose: bool) -> tuple[int, int] | None:
    """Return the span of a value without quotes."""
    if bare is None:  # pragma: no cover  # both of them match nothing, too
        return None
    first = _WORD.match(bare[0])
    value = bare[0].rstrip()
    if first is None or is_no_value(first[0], in_prose=in_prose) or not _is_secret(value, kind, in_prose=in_prose):
        return None
    return bare.start(), bare.start() + len(value)


def _of_prose(text: str, name: str, start: int, kind: Hiding) -> tuple[int, int] | None:
    """Return the span of a value that follows its name as the next word does: as an option, or if it looks random."""
    bare = _BARE.match(text, start)
    if bare is None or bare[0] in {"", HIDDEN}:
        return None
    is_option = name.startswith("--") and kind is not Hiding.RANDOM and not bare[0].startswith("-")
    return bare.span() if is_option or looks_random(bare[0]) else None


def _of_pair(text: str, begins: int, after: re.Match[str]) -> tuple[int, int] | None:
    """Return the span of the second of a pair, as lists of headers have it: `(b"X-MBX-APIKEY", b"...")`."""
    quote = after["quote"]
    before = text[max(0, begins - _LONGEST_OPENER) : begins]
    if after["close"] is None or quote is None or _PAIR_BEGINS.search(before) is None:
        return None
    start = after.end()
    end = _end_of_quoted(text, start, quote)
    closes = text[end + len(quote) : end + len(quote) + 1]
    value = text[start:end]
    is_name = hiding(value) is not Hiding.NOTHING and not looks_random(value)
    is_pair = closes in {")", "]", ""}
    return (start, end) if is_pair and not is_name and _is_secret(value, Hiding.VALUE, in_prose=False) else None


_LONGEST_OPENER: Final = 8
_PAIR_BEGINS: Final = re.compile(r"[(\[]\s?[bB]?\\*[\"']$")


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    """Return where a quoted value ends; one that nobody closes ends with the text."""
    if (pattern := _IN_QUOTES.get(quote)) is not None:
        found = pattern.match(text, start)
        return found.end() if found is not None else start
    end = text.find(quote, start)
    while end > start and quote[0] == "\\" and text[end - 1] == "\\":  # a quote inside, escaped once more
        end = text.find(quote, end + len(quote))
    return len(text) if end < 0 else end


def _is_secret(value: str, kind: Hiding, *, in_prose: bool) -> bool:
    if value == HIDDEN or is_no_value(value, in_prose=False):
        return False
    if kind is Hiding.RANDOM:
        return looks_random(value)
    return kind is not Hiding.TOKEN or looks_like_a_token(value, in_prose=in_prose)


# -- passwords in addresses ------------------------------------------------------------

_ADDRESS: Final = re.compile(r"://(?P<user>[^\s/?#@:\[\"'<>]*+)(?P<mark>[:@])")
_RUN: Final = re.compile(r"[^\s\"'<>]*+")
_PORT: Final = re.compile(r"\d{1,5}(?![^/?#\s,;.)\]}|\\])")
_CUT: Final = ("...", "\u2026")
_LONG_USER: Final = 16


def _addresses(text: str) -> str:
    """Hide the passwords in `scheme://user:password@host`, and a user that is a token."""
    if "://" not in text:
        return text
    parts: list[str] = []
    done = at = 0
    while (found := _ADDRESS.search(text, at)) is not None:
        start, end, at = _password(text, found)
        if start < end:
            parts += (text[done:start], HIDDEN)
            done = end
    parts.append(text[done:])
    return "".join(parts)


def _password(text: str, found: re.Match[str]) -> tuple[int, int, int]:
    """Return where the password of an address begins and ends, and where to look on. An empty span: it has none."""
    start = found.end()
    if found["mark"] == "@":
        is_token = len(found["user"]) >= _LONG_USER and looks_random(found["user"])
        return (found.start("user") if is_token else start - 1), start - 1, start
    if _PORT.match(text, start):
        return start, start, start
    run = _RUN.match(text, start)
    end = run.end() if run is not None else start
    at = text.rfind("@", start, end)
    if at >= 0:
        return start, at, at
    # There is no host behind it: it was cut off with the text, or that is no address.
    is_cut = end == len(text) or text.endswith(_CUT, start, end)
    return start, (end if is_cut else start), end


# -- secrets by their looks ------------------------------------------------------------

_PREFIXED: Final = re.compile(
    r"(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|sk-(?:proj|ant|live|test|or)|[srp]k_(?:live|test)_)[\w-]{8,}+"
    r"|sk-[A-Za-z0-9]{20,}+"
)
_KEEP: Final = r"\g<kept>" + HIDDEN
_KNOWN: Final[tuple[tuple[str, re.Pattern[str], str], ...]] = (
    # What text must hold that is worth a look, what is looked for, and what takes its place.
    ("eyJ", re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_=-]{10,}+(?:\.[A-Za-z0-9_=-]*+){0,4}"), HIDDEN),
    ("KIA", re.compile(r"(?<![A-Za-z0-9])AKIA[A-Z0-9]{12,}+"), HIDDEN),
    ("SIA", re.compile(r"(?<![A-Za-z0-9])ASIA[A-Z0-9]{12,}+"), HIDDEN),
    ("AIza", re.compile(r"(?<![A-Za-z0-9])AIza[\w-]{30,}+"), HIDDEN),
    ("-", _PREFIXED, HIDDEN),
    ("_", _PREFIXED, HIDDEN),
    (
        "-----BEGIN",
        re.compile(
            r"-----BEGIN [ A-Z0-9]{0,30}PRIVATE KEY.*?(?:-----END [ A-Z0-9]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
            re.DOTALL,
        ),
        HIDDEN,
    ),
    (
        "hooks.",
        re.compile(
            r"(?P<kept>hooks\.slack(?:-gov)?\.com(?:/|%2F)(?:services|workflows|triggers)(?:/|%2F))[^\s\"'<>\\)\],]++"
        ),
        _KEEP,
    ),
    ("hook", re.compile(r"(?P<kept>discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d+/)[\w-]++"), _KEEP),
    ("/ws/", re.compile(r"(?P<kept>/ws/)[A-Za-z0-9]{48,}+"), _KEEP),
    ("streams=", re.compile(r"(?P<kept>streams=)[A-Za-z0-9]{48,}+"), _KEEP),
    (
        "auth",
        re.compile(
            r"(?P<kept>(?P<quote>\\*[\"'])op(?P=quote):\s?(?P=quote)auth\w{0,20}(?P=quote),\s?(?P=quote)args(?P=quote):\s?)"
            r"\[[^\]]*+\]?"
        ),
        _KEEP,
    ),
    ("bot", re.compile(r"(?P<kept>(?:/|%2F)bot)\d++(?::|%3A)[\w-]++"), _KEEP),
    ("AA", re.compile(r"(?<![\w.])\d{8,12}+(?::|%3A)AA[\w-]{20,}+"), HIDDEN),
    ("%40", re.compile(r"(?P<kept>%3A%2F%2F[^\s%]{0,64}+%3A)[^\s\"'<>]{1,512}?(?=%40)"), _KEEP),
)
_SCHEME: Final = re.compile(
    r"(?<![A-Za-z0-9])(?P<scheme>(?i:bearer|basic|digest|auth (?:plain|login|xoauth2))(?: |%20|\+)++)"
    r"(?P<word>[^\s\"'\\,;<>()\[\]{}&]++)"
)
_IN_WORD: Final = re.compile(r"[\d_=~+/]|\w\.\w|[a-z][A-Z]")
_SHORT_WORD: Final = 6


def _known(text: str) -> str:
    """Hide what is a secret by its looks."""
    for mark, pattern, instead in _KNOWN:
        if mark in text:
            text = pattern.sub(instead, text)
    low = text.lower()
    if "bearer" in low or "basic" in low or "digest" in low or "auth " in low:
        text = _SCHEME.sub(_hidden, text)
    return text


def _hidden(found: re.Match[str]) -> str:
    word = found["word"]
    if len(word) < _SHORT_WORD or _IN_WORD.search(word) is None:
        return found[0]  # "bearer authentication", "basic checks"
    return found["scheme"] + HIDDEN
