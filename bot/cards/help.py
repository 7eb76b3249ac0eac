"""``/help``: one card that explains the bot."""

from collections.abc import Iterator, Mapping, Sequence

from agents.signal import Timeframe
from agents.source import SourceSpec
from bot.cards import limits
from bot.cards.card import Card, Colour, Embed, Field
from bot.cards.limits import shorten
from bot.cards.text import clean, quoted

_INTRODUCTION = (
    "I look for what is worth knowing right now, merge what is told twice, and put the best first. "
    "Every answer says how each source did."
)
_ALL = (
    "`/signals all` asks every source at once. "
    "Leave options out to get the best of the last 24 hours, or what this server has set."
)
_STATES = (
    "✅ answered · 🕓 from the cache, with its age · ⚪ nothing in this time\n"
    "⏳ asks us to wait · ⚠️ could not answer · ⌛ not in time"
)
_BUTTONS = (
    "◀️ ▶️ turn the pages · 🔄 asks the same question anew. "
    "Under someone else's answer they give you a copy that only you see. "
    "Under a digest: 📥 what had no room, 🔎 why these items, 🔇 mutes a word (admins)."
)
_ADMINS = (
    "`/config show` shows what this server has set, `/config panel` changes it. "
    "`/feeds add` gives `/signals news` feeds of this server's own."
)
_DIGESTS = (
    "`/setup` makes a digest in four choices: where, what, when, time zone. `/digest` has everything else: a "
    "preview, a role to call, a chart, history. `/workflow start` posts all of them now."
)
_MORE = (
    "`query` takes “phrases”, `-without` and `site:example.org`. `/why` with a link: why it is there, or is not. "
    "`/trends`: a chart, and the words that stand out. In a message's menu: *Why these items*, *Find related*."
)
_PRIVACY = "`/privacy show` tells what I keep and for how long; `/privacy delete` deletes it."
_MOST_SOURCES = 19


def help_card(specs: Sequence[SourceSpec], unavailable: Mapping[str, str]) -> Card:
    """What the bot does and every source's command; ``unavailable``: why a source is off, by its name."""
    budget = limits.Budget()
    closing = [
        Field("What the marks mean", _STATES),
        Field("Buttons", _BUTTONS),
        Field("More ways to ask", _MORE),
        Field("For admins", _ADMINS),
        Field("Digests, for admins", _DIGESTS),
        Field("Privacy", _PRIVACY),
    ]
    budget.left -= sum(len(field.name) + len(field.value) for field in closing)
    title = budget.fit(("Signals Scout",), limits.TITLE)
    frames = ", ".join(Timeframe)
    text = f"{_INTRODUCTION}\n\n{_ALL} Every source takes `query`, `timeframe` ({frames}) and `limit` (1 to 25)."
    description = budget.fit((text,), limits.DESCRIPTION)
    fields = []
    for spec in specs[:_MOST_SOURCES]:
        name = budget.fit((quoted(spec.title or spec.name, 100) or "?",), limits.FIELD_NAME)
        value = budget.fit(_source(spec, unavailable.get(spec.name)), limits.FIELD_VALUE)
        if not (name and value):
            break
        fields.append(Field(name, value))
    return Card(Embed(title, description, Colour.PENDING, (*fields, *closing)))


def _source(spec: SourceSpec, off: str | None) -> Iterator[str]:
    example = " ".join(f"{option.name}:{option.example}" for option in spec.options if option.example)
    command = f"`{_code(f'/signals {spec.name} {example}'.strip(), 100)}`"
    options = [f"`{_code(option.name, 32)}` {quoted(option.help, 100)}" for option in spec.options]
    state = [f"⚠️ off: {quoted(off, 200)}"] if off else []
    yield "\n".join([quoted(spec.help, 100), *options, f"For example {command}", *state])
    yield "\n".join([quoted(spec.help, 100), command])
    yield command


def _code(text: str, length: int) -> str:
    return shorten(clean(text), length).replace("`", "'")
