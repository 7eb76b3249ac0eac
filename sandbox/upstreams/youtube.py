"""Three sample channels of YouTube, as Atom feeds."""

from datetime import datetime
from html import escape

from aiohttp import web

from sandbox.upstreams.stories import Story, shared

_SHARE = 5
_MOST_VIDEOS = 15
_SITE = "https://tube.example"
_NAMES = ("Harbour Lectures", "Ferris Explains", "Quiet Loop")
CHANNELS = tuple(f"UCsample-channel-{number:07}" for number in range(len(_NAMES)))


def routes(start: datetime) -> list[web.RouteDef]:
    """The one address of all channels' feeds."""

    async def videos(request: web.Request) -> web.Response:
        channel = request.query.get("channel_id", "")
        if channel not in CHANNELS:
            return web.Response(status=404, text="<!DOCTYPE html><title>Error 404</title>", content_type="text/html")
        body = _feed(CHANNELS.index(channel), start)
        return web.Response(text=body, content_type="text/xml", headers={"Cache-Control": "public, max-age=900"})

    return [web.get("/feeds/videos.xml", videos)]


def _feed(place: int, start: datetime) -> str:
    stories = [story for story in shared(_SHARE) if story.number // 7 % len(CHANNELS) == place][:_MOST_VIDEOS]
    channel, name = CHANNELS[place], _NAMES[place]
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" '
        'xmlns:media="http://search.yahoo.com/mrss/" xmlns="http://www.w3.org/2005/Atom">'
        f"<id>yt:channel:{channel[2:]}</id><yt:channelId>{channel[2:]}</yt:channelId><title>{name}</title>"
        f'<link rel="alternate" href="{_SITE}/channel/{channel}"/>'
        f"<published>2012-03-20T00:00:00+00:00</published>{''.join(_entry(story, name, start) for story in stories)}"
        "</feed>"
    )


def _entry(story: Story, author: str, start: datetime) -> str:
    video = f"smp{story.number:08x}"
    when = story.posted(start).isoformat(timespec="seconds")
    return (
        f"<entry><id>yt:video:{video}</id><yt:videoId>{video}</yt:videoId><title>{escape(story.title)}</title>"
        f'<link rel="alternate" href="{_SITE}/watch?v={video}"/><author><name>{author}</name></author>'
        f"<published>{when}</published><updated>{when}</updated>"
        f"<media:group><media:title>{escape(story.title)}</media:title>"
        f"<media:description>{escape(story.text)}</media:description><media:community>"
        f'<media:starRating count="{story.heat * 3}" average="5.00" min="1" max="5"/>'
        f'<media:statistics views="{story.heat * 70}"/></media:community></media:group></entry>'
    )
