"""Where a digest can be posted: what the bot lacks there, from what the gateway told about the server.

Neither an interaction's ``app_permissions`` (those of the channel that it came from) nor the permissions of resolved
channels (those of the person) say what the bot may do elsewhere; so it is computed from roles and overwrites.
"""

import asyncio
from collections.abc import Iterator

import aiohttp
import discord

from bot.subscription import Plan

_NAMES = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "send_messages_in_threads": "Send Messages in Threads",
    "embed_links": "Embed Links",
    "attach_files": "Attach Files",
}
"""Permissions as Discord's own settings call them; in a forum ``send_messages`` is called Create Posts."""

Target = discord.TextChannel | discord.Thread | discord.ForumChannel
_ASK_S = 5.0


def tag_names(guild: discord.Guild) -> dict[int, str]:
    """Of all its forums, by id."""
    return {tag.id: tag.name for forum in guild.forums for tag in forum.available_tags}


async def archived(guild: discord.Guild, channel_id: int) -> discord.Thread | None:
    """A thread that the gateway does not tell of, because it is archived; a post there opens it again.

    None: it is no such thread, or Discord does not show it.
    """
    if guild.unavailable or guild.get_channel_or_thread(channel_id) is not None:
        return None
    try:
        async with asyncio.timeout(_ASK_S):
            found = await guild.fetch_channel(channel_id)
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError):
        return None
    return found if isinstance(found, discord.Thread) and found.parent is not None else None


def problems(guild: discord.Guild, plan: Plan, thread: discord.Thread | None = None) -> tuple[str, ...]:
    """Why a digest could not be posted there; sentences that name the fix. Empty: it can.

    ``thread``: what ``archived`` found for the plan's channel.
    """
    return tuple(_problems(guild, plan, thread))


def warnings(guild: discord.Guild, plan: Plan, thread: discord.Thread | None = None) -> tuple[str, ...]:
    """What will work less well than it could; sentences that name the fix. ``thread``: see ``problems``."""
    channel = guild.get_channel_or_thread(plan.channel_id) or thread
    if channel is None or channel.permissions_for(guild.me).read_message_history:
        return ()
    doubt = "When Discord does not say whether it took a digest, I look there; else such a digest is held back."
    return (f"In #{channel.name} I lack Read Message History. {doubt} Give it to me there.",)


def _problems(guild: discord.Guild, plan: Plan, thread: discord.Thread | None) -> Iterator[str]:
    if guild.unavailable:
        yield "Discord does not tell me about this server just now, so I cannot check the channel. Try again later."
        return
    channel = guild.get_channel_or_thread(plan.channel_id) or thread
    if channel is None:
        yield "I find no such channel: it is gone, or I lack View Channel there. Mend that, or choose another."
        return
    if not isinstance(channel, Target) or _is_media(channel):
        yield f"#{channel.name} takes no digests; choose a text or announcement channel, a thread or a forum."
        return
    yield from _lacking(guild, channel, chart=plan.chart)
    if isinstance(channel, discord.Thread):
        yield from _thread_problems(guild, channel)
    yield from _tag_problems(guild, channel, plan.tag_id)
    if plan.role_id is not None:
        yield from _role_problems(guild, channel, plan.role_id)


def _is_media(channel: Target) -> bool:
    return isinstance(channel, discord.ForumChannel) and channel.is_media()


def _lacking(guild: discord.Guild, channel: Target, *, chart: bool) -> Iterator[str]:
    may = channel.permissions_for(guild.me)
    writes = "send_messages_in_threads" if isinstance(channel, discord.Thread) else "send_messages"
    wanted = ("view_channel", writes, "embed_links", *(("attach_files",) if chart else ()))
    lacking = [name for name in wanted if not getattr(may, name)]
    if "view_channel" in lacking:  # without which nothing else counts
        lacking = ["view_channel"]
    if lacking:
        names = [_NAMES[name] for name in lacking]
        if isinstance(channel, discord.ForumChannel):
            names = [name.replace("Send Messages", "Create Posts") for name in names]
        without = " (only for the chart)" if lacking == ["attach_files"] else ""
        yield f"In #{channel.name} I lack {_and(names)}{without}. Give it to me there, or choose another channel."


def _thread_problems(guild: discord.Guild, thread: discord.Thread) -> Iterator[str]:
    if thread.permissions_for(guild.me).manage_threads:
        return
    if thread.locked:
        yield f"#{thread.name} is locked. Unlock it, give me Manage Threads, or choose another channel."
    if thread.is_private() and thread.me is None:
        yield f"#{thread.name} is private and I am not in it. Mention me there, so that I am, or choose another."


def _tag_problems(guild: discord.Guild, channel: Target, tag_id: int | None) -> Iterator[str]:
    if not isinstance(channel, discord.ForumChannel):
        if tag_id is not None:
            yield f"#{channel.name} is no forum, so its digests have no tag. Leave tag out, or clear it."
        return
    if tag_id is None:
        if channel.flags.require_tag:
            yield f"#{channel.name} wants a tag on every post. Choose one with tag."
        return
    tag = channel.get_tag(tag_id)
    if tag is None:
        yield f"#{channel.name} has no such tag. Choose one of those that tag suggests, or clear it."
    elif tag.moderated and not channel.permissions_for(guild.me).manage_threads:
        yield f"Only moderators may use the tag {tag.name}. Give me Manage Threads there, or choose another tag."


def _role_problems(guild: discord.Guild, channel: Target, role_id: int) -> Iterator[str]:
    role = guild.get_role(role_id)
    if role is None:
        yield "There is no such role in this server any more. Choose another, or clear it."
    elif role.is_default():
        yield "A digest cannot mention @everyone. Choose another role."
    elif not (role.mentionable or channel.permissions_for(guild.me).mention_everyone):
        yield (
            f"I may not mention @{role.name} in #{channel.name}. Let anyone mention that role, or give me "
            "Mention @everyone, @here, and All Roles there."
        )


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
