"""Finds the handler of a path. Paths without parameters cost one dictionary look-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from serving.api.messages import Request, Response
from serving.api.problems import METHOD_NOT_ALLOWED, UNKNOWN_PATH, ProblemError
from serving.state import ServingState

Handler = Callable[[ServingState, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One path and its methods.

    Attributes:
        path: Path template such as `/v1/accounts/{account_id}`; also its name in metrics.
        handlers: Handler by method; `GET` also serves `HEAD`.
        bounded: Whether its requests count against the limit of requests in flight.
    """

    path: str
    handlers: Mapping[str, Handler]
    bounded: bool = True

    @property
    def allow(self) -> bytes:
        """Value of the `Allow` header."""
        methods = set(self.handlers) | ({"HEAD"} if "GET" in self.handlers else set())
        return ", ".join(sorted(methods)).encode()


class Router:
    """The routes of the app."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._fixed = {route.path.encode(): route for route in routes if "{" not in route.path}
        self._templates = [(route.path.encode().split(b"/"), route) for route in routes if "{" in route.path]

    def find(self, path: bytes) -> tuple[Route, dict[str, str]]:
        """Return the route of a percent-encoded *path* and its decoded parameters.

        Raises:
            ProblemError: There is none.
        """
        route = self._fixed.get(path)
        if route is not None:
            return route, {}
        segments = path.split(b"/")
        for template, candidate in self._templates:
            parameters = _match(template, segments)
            if parameters is not None:
                return candidate, parameters
        raise ProblemError(UNKNOWN_PATH, "There is nothing at this path; `/openapi.json` lists every path.")

    @staticmethod
    def handler(route: Route, method: str) -> Handler:
        """Return the handler of *method*.

        Raises:
            ProblemError: The path does not have that method.
        """
        handler = route.handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            allow = route.allow
            raise ProblemError(
                METHOD_NOT_ALLOWED, f"This path has {allow.decode()}.", headers=((b"allow", allow),)
            )
        return handler


def _match(template: Sequence[bytes], segments: Sequence[bytes]) -> dict[str, str] | None:
    if len(template) != len(segments):
        return None
    parameters: dict[str, str] = {}
    for expected, segment in zip(template, segments, strict=True):
        if expected.startswith(b"{"):
            try:
                value = unquote_to_bytes(segment).decode()
            except UnicodeDecodeError:
                return None
            if not value:
                return None
            parameters[expected[1:-1].decode()] = value
        elif expected != segment:
            return None
    return parameters
