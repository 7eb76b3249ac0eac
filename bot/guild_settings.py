"""What one server sets for itself: the model, how each setting is typed and shown, export and import.

``GuildSettings`` says what is valid, whoever made it: a command, a form, an imported file, a row of the database.
``settings_of`` says how people speak about it: names, help, ranges in words, parsing and showing.
"""

import functools
import json
import re
import unicodedata
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)
from pydantic_core import ErrorDetails

from agents.signal import Timeframe
from agents.text import plain
from agents.urls import canonical, domain

SCHEMA_VERSION = 1
"""Grows with each change that an older program could not read."""
MOST_SUBREDDITS = 10
MOST_FEEDS = 50
MOST_WORDS = 100
LONGEST_WORD = 60
MOST_CHANNELS = 50
MOST_SIGNALS = 25
LONGEST_COOLDOWN_S = 3600
MOST_CONCURRENT = 100
TTL_RANGE_S = (60, 3600)
LARGEST_IMPORT = 64 * 1024
"""Bytes."""

_LONGEST_VALUE = 100
"""Characters that a value which is no list may have; the longest name of a time zone has 32."""
_LONGEST_ADDRESS = 500
_LONGEST_TITLE = 100
_MOST_PROBLEMS = 20
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,21}")
_SOURCE = re.compile(r"[a-z0-9_-]{1,32}")
_SNOWFLAKE = re.compile(r"[1-9][0-9]{0,18}")
_CHANNEL = re.compile(r"<#([0-9]+)>")
_ROLE = re.compile(r"<@&([0-9]+)>")
_JOINERS = "\u200c\u200d"
"""Part of the spelling of words in several scripts; ``plain`` drops them, here as in what is searched."""
_WORD_PUNCTUATION = frozenset(" '\u2019-+#&./_@$%!?:*")
_NO_ZONES = frozenset({"localtime", "Factory"})


@functools.cache
def time_zones() -> Mapping[str, str]:
    """Every IANA time zone by its name in lower case, sorted. The first call reads a directory tree."""
    known = sorted(zoneinfo.available_timezones() - _NO_ZONES)
    return MappingProxyType({name.lower(): name for name in known})


def _snowflake(value: object) -> object:
    if isinstance(value, str) and _SNOWFLAKE.fullmatch(value):
        return int(value)
    return value


def _source(value: str) -> str:
    if not _SOURCE.fullmatch(value):
        raise ValueError(f"{_quoted(value)} is no name of a source.")
    return value


def _subreddit(value: str) -> str:
    if not _SUBREDDIT.fullmatch(value):
        raise ValueError(f"{_quoted(value)} is no subreddit: 2 to 21 letters, digits and underscores, as in python.")
    return value.lower()


def _word(value: str) -> str:
    _refuse_invisible(value)
    word = plain(value, LONGEST_WORD + 1) or ""
    if len(word) > LONGEST_WORD:
        raise ValueError(f"{_quoted(word)} is too long: at most {LONGEST_WORD} characters each.")
    strange = next((char for char in word if not _belongs_in_a_word(char)), None)
    if strange is not None:
        raise ValueError(f"“{strange}” cannot be part of a word or phrase.")
    if not any(char.isalnum() for char in word):
        raise ValueError(f"{_quoted(word)} has neither letter nor digit.")
    return word


def _belongs_in_a_word(char: str) -> bool:
    return char in _WORD_PUNCTUATION or unicodedata.category(char)[0] in "LMN"


def _time_zone(value: str) -> str:
    known = time_zones().get(value.lower())
    if known is None:
        raise ValueError(f"{_quoted(value)} is no time zone; these are named as in Europe/Berlin or UTC.")
    return known


def _address(value: str) -> str:
    _refuse_invisible(value)
    if len(value) > _LONGEST_ADDRESS or canonical(value) is None or any(char.isspace() for char in value):
        raise ValueError(f"A feed's address begins with https:// and has at most {_LONGEST_ADDRESS} characters.")
    if "." not in domain(value):  # which no question to news takes either
        raise ValueError("A feed's address has the full name of its site, as in https://lwn.net/headlines/rss.")
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise ValueError("A feed's address must not hold a user name or password: everybody here could read it.")
    return value


def _title(value: str) -> str:
    return plain(value, _LONGEST_TITLE) or ""


def _each_once(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without repetitions, and without telling upper from lower case where it is text."""
    seen: dict[object, Any] = {}
    for one in value:
        seen.setdefault(one.casefold() if isinstance(one, str) else one, one)
    return tuple(seen.values())


_Once = AfterValidator(_each_once)
Snowflake = Annotated[
    int, BeforeValidator(_snowflake), Field(ge=1, lt=2**63), PlainSerializer(str, str, when_used="json")
]
"""A Discord id. Text in JSON, whose numbers lose their last digits in many programs."""
Words = Annotated[tuple[Annotated[str, AfterValidator(_word)], ...], Field(max_length=MOST_WORDS), _Once]
SourceName = Annotated[str, AfterValidator(_source)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )


class Feed(_Strict):
    """A feed of the server's own."""

    url: Annotated[str, AfterValidator(_address)]
    title: Annotated[str, AfterValidator(_title)] = ""


def _each_address_once(feeds: tuple[Feed, ...]) -> tuple[Feed, ...]:
    return tuple({canonical(feed.url): feed for feed in reversed(feeds)}.values())[::-1]


class GuildSettings(_Strict):
    """One server's settings. None: as the operator has it."""

    schema_version: Literal[1] = 1
    sources: Annotated[tuple[SourceName, ...], Field(max_length=50), _Once] = ()
    """The sources that are on; empty: all."""
    default_source: SourceName | None = None
    timeframe: Timeframe = Timeframe.DAY
    limit: int = Field(10, ge=1, le=MOST_SIGNALS)
    min_score: float = Field(0.0, ge=0, le=1)
    subreddits: Annotated[
        tuple[Annotated[str, AfterValidator(_subreddit)], ...], Field(max_length=MOST_SUBREDDITS), _Once
    ] = ()
    """Read where a question names none; empty: the operator's."""
    feeds: Annotated[tuple[Feed, ...], Field(max_length=MOST_FEEDS), AfterValidator(_each_address_once)] = ()
    raised: Words = ()
    """Words and phrases that lift an item."""
    muted: Words = ()
    """Words and phrases whose items are left out."""
    private_answers: bool = False
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    cooldown_s: int | None = Field(None, ge=0, le=LONGEST_COOLDOWN_S)
    concurrency: int | None = Field(None, ge=1, le=MOST_CONCURRENT)
    cache_ttl_s: int | None = Field(None, ge=TTL_RANGE_S[0], le=TTL_RANGE_S[1])
    nsfw: bool = False
    log_channel_id: Snowflake | None = None
    config_role_id: Snowflake | None = None
    ask_channel_ids: Annotated[tuple[Snowflake, ...], Field(max_length=MOST_CHANNELS), _Once] = ()
    """Where members may ask; empty: everywhere."""

    def sources_on(self, known: Sequence[str]) -> tuple[str, ...]:
        """Which of the ``known`` sources are on; all of them where the server chose none that is known."""
        return tuple(name for name in known if name in self.sources) or tuple(known)

    def source_by_default(self, known: Sequence[str]) -> str:
        """The source asked where a question names none: the chosen one while it is on, else the first that is."""
        on = self.sources_on(known)
        return self.default_source if self.default_source in on else on[0]

    def changed(self, **values: object) -> "GuildSettings":
        """The same with other values. Raises ``ValidationError``."""
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**kept, **values})

    def dump(self) -> str:
        """Compact JSON of what differs from the defaults, as stored."""
        body = {"schema_version": SCHEMA_VERSION, **self.model_dump(mode="json", exclude_defaults=True)}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))

    def export(self) -> str:
        """JSON of every setting, for ``import_settings`` here or elsewhere, of this version or a later one."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"


DEFAULTS = GuildSettings()


def load(body: str | bytes) -> tuple[GuildSettings, tuple[str, ...]]:
    """Settings as stored, and the names of those that are no longer valid and so are back at their defaults.

    A time zone may vanish from the world, a range may shrink: that must not cost a server everything else.
    """
    try:
        return GuildSettings.model_validate_json(body), ()
    except ValidationError as error:
        bad = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
    try:
        stored = json.loads(body)
    except ValueError:
        stored = None
    if not isinstance(stored, dict) or not bad:
        return DEFAULTS, ("everything",)
    kept = {name: value for name, value in stored.items() if name not in bad}
    return GuildSettings.model_validate_json(json.dumps(kept)), tuple(sorted(bad))


def dump_value(settings: GuildSettings, name: str) -> str:
    """One setting as JSON, by the model's name for it."""
    value = settings.model_dump(mode="json", include={name})[name]
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load_value(name: str, text: str) -> tuple[Any, bool]:
    """What ``dump_value`` wrote, as the model has it, and True; the default and False where it is no longer valid."""
    settings, lost = load(f'{{"{name}":{text}}}')
    return getattr(settings, name), not lost


class Kind(Enum):
    """How a setting is asked for."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    CHOICE = "choice"
    TEXTS = "texts"
    CHANNEL = "channel"
    CHANNELS = "channels"
    ROLE = "role"
    ZONE = "zone"
    FEEDS = "feeds"


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator offers and allows, and what holds where a server has set nothing."""

    sources: Mapping[str, str]
    """Titles by name, in the order in which people see them; not empty."""
    concurrency: int = 3
    """Questions of one server at once: the ceiling, and the default."""
    cooldown_s: float = 5.0
    cache_ttl_s: float = 300.0
    subreddits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One setting as people meet it."""

    name: str
    """As typed."""
    field: str
    """Its name in ``GuildSettings``."""
    kind: Kind
    help: str
    """One line, at most 100 characters."""
    range: str
    """What it takes, in words, to stand after "takes"."""
    show: Callable[[Any], str]
    """A value as people read it; not escaped for any display, but channels and roles are mentions."""
    _read: Callable[[str], object]
    choices: tuple[str, ...] = ()
    """Known values, to be suggested; empty: too many or none."""

    @property
    def default(self) -> Any:
        """The model's default."""
        return getattr(DEFAULTS, self.field)

    @property
    def settable(self) -> bool:
        """Whether a value can be typed; feeds have commands of their own."""
        return self.kind is not Kind.FEEDS

    def of(self, settings: GuildSettings) -> Any:
        """Its value."""
        return getattr(settings, self.field)

    def typed(self, value: Any) -> str:
        """A value as somebody would type it: ``parse`` takes it back."""
        if value in (None, ()):
            return "all" if "all" in self.choices else "none"
        if isinstance(value, bool):
            return _on_or_off(value)
        if isinstance(value, tuple):
            return ", ".join(map(str, value))
        return f"{value:.9f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)

    def parse(self, text: str) -> Any:
        """The value that somebody typed; a ``ValueError`` says in words what it takes."""
        if not isinstance(text, str):
            raise ValueError(f"{self.name} takes {self.range}.")  # noqa: TRY004
        if not self.settable:
            raise ValueError("Feeds are added by /feeds add and removed by /feeds remove.")
        typed = text.strip()
        longest = MOST_WORDS * (LONGEST_WORD + 2) if self.kind in _LISTS else _LONGEST_VALUE
        if not typed or len(typed) > longest:
            so = f"this has {len(typed)} characters" if typed else "this is empty"
            raise ValueError(f"{self.name} takes {self.range}; {so}.")
        _refuse_invisible(typed)
        try:
            return self.of(GuildSettings.model_validate({self.field: self._read(typed)}))
        except ValidationError as error:
            raise ValueError(self._sentence(error.errors()[0], typed)) from None
        except _NotOfThisKind:
            raise ValueError(f"{self.name} takes {self.range}; not {_quoted(typed)}.") from None

    def problem(self, detail: ErrorDetails) -> str:
        """In words, what a model found wrong with this setting."""
        return self._sentence(detail, None)

    def _sentence(self, detail: ErrorDetails, typed: str | None) -> str:
        if detail["type"] == "value_error":
            return f"{self.name}: {detail['ctx']['error']}"
        return f"{self.name} takes {self.range}{f'; not {_quoted(typed)}' if typed else ''}."


_LISTS = frozenset({Kind.TEXTS, Kind.CHANNELS})


class _NotOfThisKind(Exception):
    """What was typed is of another kind than what is asked for."""


def settings_of(operator: Operator) -> tuple[SettingSpec, ...]:
    """Every setting, in the order in which people see them."""
    titles = operator.sources
    names = tuple(titles)
    return (
        SettingSpec(
            "sources", "sources", Kind.TEXTS, "Which sources may be asked",
            f"names of sources ({', '.join(names)}), comma separated, or all",
            lambda value: ", ".join(titles.get(name, name) for name in value) or "all",
            lambda text: () if text.lower() == "all" else _list(text, functools.partial(_source_of, titles)),
            ("all", *names),
        ),
        SettingSpec(
            "default_source", "default_source", Kind.CHOICE, "The source asked when a question names none",
            f"one of {', '.join(names)}, or none for the first that is on",
            lambda value: titles.get(value, value) if value else "the first that is on",
            lambda text: _optional(text, functools.partial(_source_of, titles)),
            names,
        ),
        SettingSpec(
            "timeframe", "timeframe", Kind.CHOICE, "How far back a question looks when it does not say",
            f"one of {', '.join(Timeframe)}", str, _timeframe, tuple(Timeframe),
        ),
        SettingSpec(
            "limit", "limit", Kind.INT, "How many signals an answer has when a question does not say",
            f"a whole number from 1 to {MOST_SIGNALS}", str, _whole,
        ),
        SettingSpec(
            "min_score", "min_score", Kind.FLOAT, "Signals that score less are left out",
            "a number from 0 to 1, such as 0.25", lambda value: f"{value:g}", _number,
        ),
        SettingSpec(
            "subreddits", "subreddits", Kind.TEXTS, "Where Reddit is read when a question names no subreddit",
            f"at most {MOST_SUBREDDITS} subreddits, comma separated, or none",
            lambda value: _joined((f"r/{name}" for name in value or operator.subreddits), "the bot's own choice"),
            lambda text: _list(text, _without_prefix, r"[\s,+]+"),
        ),
        SettingSpec(
            "feeds", "feeds", Kind.FEEDS, "This server's own feeds",
            f"at most {MOST_FEEDS} feeds, each with an address and a title",
            lambda value: _joined((feed.title or feed.url for feed in value), "none"), str,
        ),
        SettingSpec(
            "raise", "raised", Kind.TEXTS, "Words and phrases that lift a signal",
            f"at most {MOST_WORDS} words or phrases of at most {LONGEST_WORD} characters, comma separated, or none",
            lambda value: _joined(value, "none"), _list,
        ),
        SettingSpec(
            "mute", "muted", Kind.TEXTS, "Signals with one of these words or phrases are left out",
            f"at most {MOST_WORDS} words or phrases of at most {LONGEST_WORD} characters, comma separated, or none",
            lambda value: _joined(value, "none"), _list,
        ),
        SettingSpec(
            "private_answers", "private_answers", Kind.BOOL, "Whether only the asker sees an answer",
            "on or off", _on_or_off, _truth, ("on", "off"),
        ),
        SettingSpec(
            "time_zone", "time_zone", Kind.ZONE, "The time zone of this server, for times and schedules",
            "an IANA time zone such as Europe/Berlin or UTC", str, str, tuple(time_zones().values()),
        ),
        SettingSpec(
            "cooldown", "cooldown_s", Kind.INT, "Seconds that a person waits between two questions",
            f"a whole number of seconds from 0 to {LONGEST_COOLDOWN_S}, or none for the bot's own",
            lambda value: _seconds(value, operator.cooldown_s), lambda text: _optional(text, _whole),
        ),
        SettingSpec(
            "concurrency", "concurrency", Kind.INT, "Questions of this server worked on at once",
            f"a whole number from 1 to {operator.concurrency}, or none for the bot's own",
            lambda value: str(operator.concurrency if value is None else min(value, operator.concurrency)),
            lambda text: _optional(text, functools.partial(_whole, most=operator.concurrency)),
        ),
        SettingSpec(
            "cache", "cache_ttl_s", Kind.INT, "Seconds for which an answer counts as fresh",
            f"a whole number of seconds from {TTL_RANGE_S[0]} to {TTL_RANGE_S[1]}, or none for the bot's own",
            lambda value: _seconds(value, operator.cache_ttl_s), lambda text: _optional(text, _whole),
        ),
        SettingSpec(
            "nsfw", "nsfw", Kind.BOOL, "Show items not safe for work, in age-restricted channels only",
            "on or off", _on_or_off, _truth, ("on", "off"),
        ),
        SettingSpec(
            "log_channel", "log_channel_id", Kind.CHANNEL, "Where admins are told what was changed",
            "a channel of this server, or none",
            lambda value: f"<#{value}>" if value else "none", lambda text: _optional(text, _channel_id),
        ),
        SettingSpec(
            "config_role", "config_role_id", Kind.ROLE, "Members with this role may configure the bot, too",
            "a role of this server, or none",
            lambda value: f"<@&{value}>" if value else "none", lambda text: _optional(text, _role_id),
        ),
        SettingSpec(
            "ask_channels", "ask_channel_ids", Kind.CHANNELS, "Where members may ask",
            f"at most {MOST_CHANNELS} channels of this server, or none for everywhere",
            lambda value: _joined((f"<#{one}>" for one in value), "everywhere"),
            lambda text: _list(text, _channel_id, r"[\s,]+"),
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that two versions differ in, as shown."""

    name: str
    old: str
    new: str


def difference(old: GuildSettings, new: GuildSettings, specs: Sequence[SettingSpec]) -> tuple[Change, ...]:
    """What changes from ``old`` to ``new``, in the order of ``specs``."""
    return tuple(
        Change(spec.name, spec.show(spec.of(old)), spec.show(spec.of(new)))
        for spec in specs
        if spec.of(old) != spec.of(new)
    )


class ImportRefused(ValueError):
    """A file that cannot be imported; ``problems`` are sentences for people, at least one."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def import_settings(data: bytes, operator: Operator) -> GuildSettings:
    """The settings in an exported file. Raises ``ImportRefused`` with everything that is wrong with it."""
    if len(data) > LARGEST_IMPORT:
        raise ImportRefused(f"The file has {len(data) / 1024:,.0f} kB; an export has at most 64 kB.")
    body = _json_object(data)
    version = body.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ImportRefused("The file does not say of which version it is (schema_version), so it is no export.")
    if version > SCHEMA_VERSION:
        raise ImportRefused(f"The file is of version {version}; this bot knows versions up to {SCHEMA_VERSION}.")
    specs = settings_of(operator)
    try:
        imported = GuildSettings.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise ImportRefused(*_problems(error, specs)) from None
    problems = dict.fromkeys(chain.from_iterable(beyond(imported, operator).values()))
    if problems:
        raise ImportRefused(*problems)
    return imported


def _json_object(data: bytes) -> dict[str, Any]:
    def refuse(constant: str) -> object:
        raise ImportRefused(f"The file holds {constant}, which is no number.")

    try:
        body = json.loads(data.decode("utf-8-sig"), parse_constant=refuse, parse_int=_small)
    except UnicodeDecodeError:
        raise ImportRefused("The file is no text in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ImportRefused(f"The file is no JSON: line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise ImportRefused("The file is nested too deeply.") from None
    if not isinstance(body, dict):
        raise ImportRefused("The file is no export: it does not hold an object.")
    return body


def _small(digits: str) -> int:
    """Numbers beyond 64 bits only cost time; no setting takes them."""
    return int(digits) if len(digits) <= 20 else 2**64


def _problems(error: ValidationError, specs: Sequence[SettingSpec]) -> list[str]:
    by_field = {spec.field: spec for spec in specs}
    found: dict[str, None] = {}
    for detail in error.errors():
        if not detail["loc"]:  # json is content with half a surrogate pair
            return ["The file holds text that is not valid Unicode."]
        field_name = str(detail["loc"][0])
        spec = by_field.get(field_name)
        if spec is None:
            found[f"There is no setting {_quoted(field_name)}."] = None
        elif detail["type"] == "extra_forbidden":
            found[f"{spec.name} has something unknown in it: {_quoted(str(detail['loc'][-1]))}."] = None
        else:
            found[spec.problem(detail)] = None
    problems = list(found)
    rest = len(problems) - _MOST_PROBLEMS
    return problems if rest <= 0 else [*problems[:_MOST_PROBLEMS], f"And {rest} more."]


def beyond(settings: GuildSettings, operator: Operator) -> dict[str, tuple[str, ...]]:
    """What the operator does not have or allow, in sentences, by the model's names of the settings that want it."""
    found = {
        "sources": _unknown(settings.sources, operator),
        "default_source": _unknown(filter(None, (settings.default_source,)), operator),
    }
    if (settings.concurrency or 1) > operator.concurrency:
        found["concurrency"] = (f"concurrency takes a whole number from 1 to {operator.concurrency}.",)
    return {name: problems for name, problems in found.items() if problems}


def _unknown(sources: Iterable[str], operator: Operator) -> tuple[str, ...]:
    return tuple(f"There is no source {_quoted(name)} here." for name in sources if name not in operator.sources)


def _quoted(text: str) -> str:
    """The beginning of what somebody gave, made safe to repeat."""
    return f"“{plain(text, 40) or ''}”"


def _refuse_invisible(text: str) -> None:
    for char in text:
        if unicodedata.category(char)[0] == "C" and char not in _JOINERS and char not in "\t\r\n":
            raise ValueError(f"There is an invisible character in it (U+{ord(char):04X}); type it without.")


def _split(text: str, separators: str = r"[,\n]+") -> list[str]:
    return [part for one in re.split(separators, text) if (part := one.strip())]


def _list(text: str, each: Callable[[str], Any] = str, separators: str = r"[,\n]+") -> tuple[Any, ...]:
    parts = _split(text, separators)
    if not parts:
        raise _NotOfThisKind
    if {part.lower() for part in parts} == {"none"}:
        return ()
    return tuple(each(part) for part in parts)


def _optional(text: str, read: Callable[[str], Any]) -> Any:
    return None if text.lower() == "none" else read(text)


def _source_of(titles: Mapping[str, str], text: str) -> str:
    for name, title in titles.items():
        if text.casefold() in {name.casefold(), title.casefold()}:
            return name
    raise _NotOfThisKind


def _timeframe(text: str) -> Timeframe:
    try:
        return Timeframe(text.lower())
    except ValueError:
        raise _NotOfThisKind from None


def _whole(text: str, most: int = 10**6) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) > most:
        raise _NotOfThisKind
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"[0-9]{0,3}(?:\.[0-9]{1,9})?", text):
        raise _NotOfThisKind
    return float(text)


def _truth(text: str) -> bool:
    if text.lower() in {"on", "yes", "true"}:
        return True
    if text.lower() in {"off", "no", "false"}:
        return False
    raise _NotOfThisKind


def _id(mentioned: re.Pattern[str], text: str) -> int:
    mention = mentioned.fullmatch(text)
    digits = mention[1] if mention else text
    if not _SNOWFLAKE.fullmatch(digits):
        raise _NotOfThisKind
    return int(digits)


_channel_id = functools.partial(_id, _CHANNEL)
_role_id = functools.partial(_id, _ROLE)


def _without_prefix(text: str) -> str:
    return re.sub(r"^/?r/", "", text, flags=re.IGNORECASE).rstrip("/")


def _joined(parts: Any, otherwise: str) -> str:
    return ", ".join(parts) or otherwise


def _on_or_off(value: bool) -> str:
    return "on" if value else "off"


def _seconds(value: float | None, otherwise: float) -> str:
    return f"{otherwise:g} s" if value is None else f"{value:g} s"
