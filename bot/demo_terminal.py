"""The demo in a terminal: a person types, and what the bot says is drawn as it happens."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bot.cards.card import Colour
from sandbox.activity import Happening
from sandbox.exchange import Exchange
from sandbox.guilds import Channel, User
from sandbox.lines import CommandSyntaxError
from sandbox.messages import Message
from sandbox.people import ON_MESSAGES, NotClickable, pressable
from sandbox.server import LocalDiscord
from sandbox.terminal import draw_message

ANSWER_TIMEOUT_S = 60.0
QUIET_S = 0.3
"""After the last change of an answer before the next prompt is shown."""
HELP = (
    "Type a command (/signals all query:python, /signals news timeframe:7d, /help), the number of a button under\n"
    "the last answer, ! and the beginning of a command of its menu (!why, !find), or a line that begins with @ to\n"
    "mention the bot. quit or Ctrl-C ends."
)


class Talk:
    """One person's conversation with the bot, drawn as it happens."""

    def __init__(self, discord: LocalDiscord, channel: Channel, person: User) -> None:
        self._discord = discord
        self._channel = channel
        self._person = person
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._exchange: Exchange | None = None
        self._changed = asyncio.Event()
        self._last: Message | None = None
        self._last_public: Message | None = None

    def on_happening(self, happening: Happening) -> None:
        """Print acknowledgements and every version of a message."""
        if happening.kind == "interaction.acknowledged":
            exchange: Exchange = happening.subject
            took_ms = (exchange.acknowledged_after_s or 0.0) * 1000
            print(self._dim(f"  ← acknowledged after {took_ms:.0f} ms"))
        elif happening.kind in {"message.created", "message.edited"}:
            message: Message = happening.subject
            if message.author is self._person:
                return
            self._last = message
            if not message.ephemeral:
                self._last_public = message
            print(draw_message(message, self._width(), colour=self._colour) + "\n")
            self._changed.set()

    async def say(self, line: str) -> bool:
        """Type a line, press a button by its number, or choose of the menu; True when the bot answered."""
        print(self._dim("  → you " + ("press " if line.isdecimal() else "type ")) + line)
        self._changed.clear()
        try:
            await self._send(line)
        except (CommandSyntaxError, NotClickable) as error:
            print(f"  {error}\n")
            return False
        return await self._answered()

    async def _send(self, line: str) -> None:
        self._exchange = None
        if line.isdecimal():
            buttons = 0 if self._last is None else len(pressable(self._last))
            if self._last is None or not 1 <= int(line) <= buttons:
                raise NotClickable(f"There is no button {line} under the last message; it has {buttons or 'none'}.")
            self._exchange = await self._discord.click(self._person, self._last, int(line))
        elif line.startswith("/"):
            self._exchange = await self._discord.type_command(self._person, self._channel, line)
        elif line.startswith("!"):
            await self._choose(line.removeprefix("!"))
        elif line.startswith("@"):
            said = line.removeprefix("@").removeprefix(self._discord.bot_user.name).strip()
            await self._discord.say(self._person, self._channel, f"<@{self._discord.bot_user.id}> {said}".strip())
        else:
            raise CommandSyntaxError(
                "Commands begin with /, as in /help. A line that begins with @ mentions the bot."
            )

    async def _choose(self, beginning: str) -> None:
        """Of the menu of the last message that everybody sees, by how the command's name begins."""
        if self._last_public is None:
            raise NotClickable("There is no message of the bot's yet that everybody sees.")
        known = self._discord.findable(self._person, self._channel)
        menu = [command for command in known if command["type"] == ON_MESSAGES]
        fitting = [one for one in menu if one["name"].casefold().startswith(beginning.strip().casefold())]
        if len(fitting) != 1:
            names = ", ".join(f"!{command['name']}" for command in menu) or "nothing"
            raise CommandSyntaxError(f"A message's menu has: {names}. The beginning of a name is enough.")
        self._exchange = await self._discord.use_on_message(self._person, self._last_public, fitting[0]["id"])

    async def _answered(self) -> bool:
        """Wait until what the bot says is final."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while not (self._last is not None and self._changed.is_set() and _final(self._last)):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            print("  The bot did not answer.\n")
            return False
        await asyncio.sleep(QUIET_S)
        return True

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text

    def _width(self) -> int:
        return min(100, shutil.get_terminal_size((88, 24)).columns)


def _final(message: Message) -> bool:
    """Whether it is neither "is thinking" nor the card of a pending answer, which has its colour and lines alone."""
    if message.loading or not message.embeds:
        return False
    embed = message.embeds[0]
    bare = not embed.get("fields") and not message.components
    return not (bare and embed.get("color") == Colour.PENDING)


async def converse(talk: Talk, ended: asyncio.Event) -> None:
    """Read lines until the person ends, the input does, or the bot."""
    ending = asyncio.create_task(ended.wait())
    try:
        with _typed_lines() as lines:
            while True:
                print("> ", end="", flush=True)
                typed = asyncio.create_task(lines.get())
                await asyncio.wait((typed, ending), return_when=asyncio.FIRST_COMPLETED)
                if not typed.done():
                    typed.cancel()
                    print("\nThe bot has ended.")
                    return
                line = typed.result()
                if line is None or line.strip() in {"quit", "exit"}:
                    return
                if line.strip():
                    await talk.say(line.strip())
    finally:
        ending.cancel()


@contextmanager
def _typed_lines() -> Iterator[asyncio.Queue[str | None]]:
    """Lines of standard input as they are typed, None at its end.

    Neither a thread (one that waits for a line would outlive Ctrl-C) nor asyncio's pipes (they make the terminal
    non-blocking for printing too). A file as input cannot be watched, and need not be: it never makes wait.
    """
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    unfinished = b""

    def read() -> bool:
        nonlocal unfinished
        got = os.read(descriptor, 4096)
        *whole, unfinished = (unfinished + got).split(b"\n")
        for line in whole:
            lines.put_nowait(line.decode(errors="replace"))
        if not got:
            lines.put_nowait(unfinished.decode(errors="replace") or None)
            lines.put_nowait(None)
            loop.remove_reader(descriptor)
        return bool(got)

    try:
        loop.add_reader(descriptor, read)
    except PermissionError:
        while read():
            pass
    try:
        yield lines
    finally:
        loop.remove_reader(descriptor)
