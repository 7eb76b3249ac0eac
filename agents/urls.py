"""Addresses of pages: one spelling for each, a key for duplicates, a domain that deceives nobody.

Parsed as browsers do (https://url.spec.whatwg.org), so that what is shown is where a click leads.
"""

import re
import unicodedata
from urllib.parse import parse_qsl, unquote_plus

import can_ada

MAX_LENGTH = 2_000
"""Characters; longer addresses are refused."""

_TRACKERS = frozenset(
    {
        "fbclid",
        "gclid",
        "gclsrc",
        "dclid",
        "gbraid",
        "wbraid",
        "msclkid",
        "yclid",
        "ysclid",
        "twclid",
        "ttclid",
        "li_fat_id",
        "epik",
        "rdt_cid",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "_hsenc",
        "_hsmi",
        "__hssc",
        "__hstc",
        "__hsfp",
        "hsctatracking",
        "vero_id",
        "vero_conv",
        "oly_anon_id",
        "oly_enc_id",
        "igshid",
        "igsh",
        "ref_src",
        "ref_url",
        "rb_clickid",
        "wickedid",
        "_openstat",
        "guccounter",
        "guce_referrer",
        "guce_referrer_sig",
        "at_medium",
        "at_campaign",
        "ns_mchannel",
        "ns_source",
        "ns_campaign",
        "spm",
        "share_id",
        "srsltid",
        "_gl",
        "_ga",
        "gad_source",
        "gad_campaignid",
        "mibextid",
        "fb_action_ids",
        "fb_action_types",
        "fb_ref",
        "fb_source",
        "cmpid",
        "wt_mc",
        "wt.mc_id",
        "xtor",
        "wprov",
        "usqp",
        "__twitter_impression",
    }
)
_TRACKER_PREFIXES = ("utm_", "hsa_", "pk_", "mtm_", "piwik_", "stm_", "at_campaign", "at_link", "at_ptr", "amp_js_")

_REDIRECTORS = {
    "google/url": ("url", "q"),
    "facebook.com/l.php": ("u",),
    "l.facebook.com/l.php": ("u",),
    "lm.facebook.com/l.php": ("u",),
    "l.instagram.com": ("u",),
    "out.reddit.com": ("url",),
    "youtube.com/redirect": ("q",),
    "duckduckgo.com/l": ("uddg",),
    "t.umblr.com/redirect": ("z",),
    "steamcommunity.com/linkfilter": ("u", "url"),
    "vk.com/away.php": ("to",),
    "slack-redir.net/link": ("url",),
    "linkedin.com/redir/redirect": ("url",),
}
"""Pages that only lead elsewhere, by host and path, and the parameters that say where to."""
_GOOGLE = re.compile(r"google\.(?:com?\.)?[a-z]{2,3}")
_AMP_VIEWERS = (
    re.compile(r"https?://(?:www\.)?google\.(?:com?\.)?[a-z]{2,3}/amp/(?P<secure>s/)?(?P<page>.+)"),
    re.compile(r"https?://[^/]+\.cdn\.ampproject\.org/(?:c|v|wp)/(?P<secure>s/)?(?P<page>.+)"),
)
"""Addresses under which others show a site's AMP page, with its own at their end."""

_FOLDED_LABELS = frozenset({"www", "m", "mobile", "amp"})
_COUNTRY_WIDE = re.compile(r"(?:ac|co|com|edu|go|gov|ne|net|or|org)\.[a-z]{2}")
"""What names a country's kind of site, no site: ``amp.com.au`` is one."""
_AMP_PARAMETERS = frozenset({"amp", "amp=", "amp=1", "amp=true", "_amp=true", "outputtype=amp", "output=amp"})
_INDEX = re.compile(r"/(?:index|default)\.(?:html?|php|aspx?)$", re.IGNORECASE)
_AMP_PATH = re.compile(r"^/amp(?=/)|(?:/amp|\.amp)$|\.amp(?=\.html?$)", re.IGNORECASE)

_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"})
_LATIN_END = "\u0180"
_LATIN_LOOKALIKES = frozenset("\u0131\u0138\u017f")
"""Dotless i, kra and long s pass for i, k and f."""


def canonical(url: str) -> str | None:
    """The one spelling of an http or https address; None for anything else, and for what is too long.

    A redirector's address (``google.com/url?q=…``) is that of the page to which it leads, and that of an AMP cache
    (``google.com/amp/s/…``) that of the page which it shows.
    Without user name and password, default port, trackers, trailing slash and fragment (but ``#!`` routes
    stay); host in lower case and ASCII, parameters in order of their names. Idempotent.
    """
    parsed = _parse(_unwrapped(url))
    if parsed is None:
        return None
    path = parsed.pathname.rstrip("/") or "/"
    route = parsed.hash if parsed.hash.startswith("#!") else ""
    address = f"{parsed.protocol}//{_host(parsed)}{path}{_query(parsed.search)}{route}"
    return address if len(address) <= MAX_LENGTH else None


def identity(url: str) -> str:
    """The key under which two addresses are the same page; not an address itself.

    Folds what ``canonical`` keeps apart: scheme, ``www.``, ``m.``, ``mobile.`` and ``amp.`` hosts, AMP variants,
    index pages. An address that has no canonical spelling stands for itself.
    """
    address = canonical(url)
    if address is None:
        return url
    rest = address.partition("://")[2]
    rest, bang, route = rest.partition("#")
    rest, _, query = rest.partition("?")
    host, _, path = rest.partition("/")
    path = _INDEX.sub("", "/" + path)
    path = _AMP_PATH.sub("", path).rstrip("/")
    kept = "&".join(part for part in query.split("&") if part and part.lower() not in _AMP_PARAMETERS)
    return f"{_fold_host(host)}{path}{'?' if kept else ''}{kept}{bang}{route}"


def domain(url: str) -> str:
    """The host as shown to people, without ``www.`` and port; empty when the address is no http or https one.

    Non-ASCII names are shown as written only where their letters cannot pass for others; else in punycode.
    """
    parsed = _parse(url)
    if parsed is None:
        return ""
    host = parsed.hostname.rstrip(".").removeprefix("www.")
    if "xn--" not in host:
        return host
    written = can_ada.idna_decode(host)
    return written if _is_honest(written) else host


def join(base: str, relative: str) -> str | None:
    """The absolute http or https address of a link found on the page ``base``; None when it is none."""
    if len(base) > MAX_LENGTH or len(relative) > MAX_LENGTH:
        return None
    try:
        joined = str((can_ada.parse(base) + relative).href)
    except (ValueError, TypeError):
        return None
    return joined if joined.startswith(("http://", "https://")) and len(joined) <= MAX_LENGTH else None


def _unwrapped(url: str) -> str:
    """Where a redirector leads, or the address itself; each is shorter than the one before, so this ends."""
    while (target := _target(url)) is not None:
        url = target
    return url


def _target(url: str) -> str | None:
    parsed = _parse(url)
    if parsed is None:
        return None
    target = _shown_by_a_viewer(str(parsed.href)) or _given_to_a_redirector(parsed)
    return target if target is not None and len(target) < len(url) and _parse(target) is not None else None


def _shown_by_a_viewer(url: str) -> str | None:
    shown = next(filter(None, (viewer.match(url) for viewer in _AMP_VIEWERS)), None)
    return f"http{'s' if shown['secure'] else ''}://{shown['page']}" if shown else None


def _given_to_a_redirector(parsed: can_ada.URL) -> str | None:
    if not parsed.search:
        return None
    host = _fold_host(parsed.hostname)
    names = _REDIRECTORS.get(f"{'google' if _GOOGLE.fullmatch(host) else host}{parsed.pathname.rstrip('/')}", ())
    given = dict(parse_qsl(parsed.search[1:]))
    return next((given[name] for name in names if name in given), None)


def _parse(url: str) -> can_ada.URL | None:
    if len(url) > MAX_LENGTH:
        return None
    try:
        parsed = can_ada.parse(url)
    except (ValueError, TypeError):  # TypeError: a lone surrogate is no str to it
        return None
    return parsed if parsed.protocol in {"http:", "https:"} and parsed.hostname.strip(".") else None


def _host(parsed: can_ada.URL) -> str:
    name = parsed.hostname.rstrip(".")
    return f"{name}:{parsed.port}" if parsed.port else name


def _query(search: str) -> str:
    kept = [part for part in search[1:].split("&") if part and not _is_tracker(part)]
    kept.sort(key=lambda part: part.partition("=")[0])
    return "?" + "&".join(kept) if kept else ""


def _is_tracker(part: str) -> bool:
    name = unquote_plus(part.partition("=")[0]).lower()
    return name in _TRACKERS or name.startswith(_TRACKER_PREFIXES)


def _fold_host(host: str) -> str:
    """Without the labels that choose a rendering (``en.m.wikipedia.org``); never a site's own (``mobile.de``)."""
    labels = host.split(".")
    own = 3 if _COUNTRY_WIDE.fullmatch(".".join(labels[-2:])) else 2
    return ".".join([label for label in labels[:-own] if label not in _FOLDED_LABELS] + labels[-own:])


def _is_honest(host: str) -> bool:
    """Whether every label is of one script, and all labels are Latin or East Asian, or all of one other script."""
    scripts = {_script(label) for label in host.split(".") if label.strip("-0123456789")}
    if None in scripts:
        return False
    return scripts <= {"LATIN", "EAST ASIAN"} or len(scripts) == 1


def _script(label: str) -> str | None:
    """The script of all its letters; None when they are mixed or pass for other letters."""
    found: set[str] = set()
    for char in label:
        if char in "-0123456789":
            continue
        name = unicodedata.name(char, "").partition(" ")[0]
        if name == "LATIN" and (char >= _LATIN_END or char in _LATIN_LOOKALIKES):
            return None
        found.add("EAST ASIAN" if name in _EAST_ASIAN else name)
    return found.pop() if len(found) == 1 and found.isdisjoint({"", "COMBINING"}) else None
