"""Gives every Chinese reader the Chinese page; pure ASGI.

Gradio's browser side knows zh-CN and zh-TW, and takes zh, zh-HK or zh-Hans-SG for English. A line at the head
of the page, run before Gradio's own, names the nearer of the two as the browser's language. Languages that
are not Chinese stay as they are.
"""

from __future__ import annotations

from launcher.ui.headers import App, Message, Receive, Scope, Send

_HEAD = b"<head>"
_SCRIPT = b"""<script>
(() => {
  const own = navigator.language || "";
  if (!/^zh(-|$)/i.test(own) || own === "zh-CN" || own === "zh-TW") return;
  const value = /-(hant|hk|mo|tw)\\b/i.test(own) ? "zh-TW" : "zh-CN";
  Object.defineProperty(navigator, "language", { value });
})();
</script>"""


class ChineseLocales:
    """Adds the line to the page itself; every other response passes through untouched."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        is_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        await self._app(scope, receive, _with_script(send) if is_page else send)


def _with_script(send: Send) -> Send:
    held: list[Message] = []

    async def send_page(message: Message) -> None:
        """Holds the start back until the body, whose length it names, is known; the page is one piece."""
        if message["type"] == "http.response.start":
            held.append(message)
            return
        if held:
            start = held.pop()
            if not message.get("more_body"):
                body = message.get("body", b"").replace(_HEAD, _HEAD + _SCRIPT, 1)
                others = [
                    (name, value) for name, value in start["headers"] if name.lower() != b"content-length"
                ]
                start = {**start, "headers": [*others, (b"content-length", str(len(body)).encode())]}
                message = {**message, "body": body}
            await send(start)
        await send(message)

    return send_page
