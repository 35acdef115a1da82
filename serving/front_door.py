"""The way past BentoML's own HTTP handling, for all paths but those of its methods.

BentoML puts a middleware that a service adds behind its own (tracing, a timer for every request), which cost a
third of a request and keep each one alive for seconds. The app bounds, counts and times requests itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from serving.api.messages import Receive, Scope, Send

App = Callable[[Scope, Receive, Send], Awaitable[None]]
METHOD_PATHS = frozenset({"/score", "/score_many", "/next_best_action", "/schema.json"})


class FrontDoor:
    """An ASGI middleware that hands every path but BentoML's own to the app, ahead of BentoML's routes.

    BentoML puts it behind its own middlewares (tracing, a timer for every request); at start it steps before
    them, since the app bounds, counts and times requests itself.
    """

    def __init__(self, app: App, front: App) -> None:
        self.app = app
        self.front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "http" and scope["path"] not in METHOD_PATHS:
            await self.front(scope, receive, send)
            return
        if scope["type"] == "lifespan":
            everything = scope["app"]
            everything.middleware_stack = FrontDoor(everything.middleware_stack, self.front)
        await self.app(scope, receive, send)
