"""The ASGI app: one callable that routes, bounds, counts, logs and answers. No framework, for measured cost.

It runs under any ASGI server, which starts it by its lifespan (`python -m serving` is uvicorn with limits for slow
clients, see `__main__.py`), and inside BentoML, which runs no lifespan of a mounted app and so starts it by a hook
(see `service.py`).
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import structlog

from serving import metrics
from serving.api import (
    accounts,
    actions,
    brief,
    decisions,
    health,
    holdouts,
    models,
    next_best_action,
    openapi,
    outcomes,
    score,
    triggers,
)
from serving.api import metrics as metrics_api
from serving.api.messages import (
    PROBLEM,
    Arrivals,
    ClientGoneError,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    json_response,
)
from serving.api.problems import not_started, overloaded, problem_of
from serving.api.router import Route, Router
from serving.errors import ServingError, StoreUnavailable
from serving.logs import SparingLog, configure_logs
from serving.settings import ServingSettings, load_settings
from serving.state import ServingState

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger("keepgrow.http")
SERVER_FAULT = 500
SERVER_ERROR = "server_error"
ARRIVING_BODIES = 64
"""How many of the largest bodies may be under way at once."""

ROUTER = Router(
    (
        Route("/v1/score", {"POST": score.post}),
        Route("/v1/next-best-action", {"POST": next_best_action.post}),
        Route("/v1/accounts/{account_id}", {"GET": accounts.get}),
        Route("/v1/accounts/{account_id}/brief", {"GET": brief.get}),
        Route("/v1/accounts/{account_id}/workflows", {"GET": triggers.workflows}),
        Route("/v1/triggers/run", {"POST": triggers.run}),
        Route("/v1/holdouts/{account_id}", {"GET": holdouts.get}),
        Route("/v1/decisions/{decision_id}", {"GET": decisions.get}),
        Route("/v1/outcomes", {"POST": outcomes.post}),
        Route("/v1/actions/schemas", {"GET": actions.all_schemas}),
        Route("/v1/actions/schemas/{type}", {"GET": actions.one_schema}),
        Route("/v1/actions/simulate", {"POST": actions.simulate}),
        Route("/v1/actions/apply", {"POST": actions.apply_action}),
        Route("/v1/actions/{id}", {"GET": actions.get_receipt}),
        Route("/v1/actions/{id}/approve", {"POST": actions.approve_action}),
        Route("/v1/actions/{id}/rollback", {"POST": actions.rollback}),
        Route("/v1/models", {"GET": models.listing}),
        Route("/models/{tag}", {"GET": models.card}),
        Route("/livez", {"GET": health.livez}, bounded=False),
        Route("/readyz", {"GET": health.readyz}, bounded=False),
        Route("/metrics", {"GET": metrics_api.get}, bounded=False),
        Route("/openapi.json", {"GET": openapi.document}, bounded=False),
        Route("/docs", {"GET": openapi.docs}, bounded=False),
        Route("/", {"GET": openapi.index}, bounded=False),
    )
)


class KeepgrowApp:
    """The ASGI callable of one process.

    Attributes:
        settings: As the process was started.
        state: What answers; None until `start`.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self.state: ServingState | None = None
        self._refusals = SparingLog(log)
        self._arrivals = Arrivals(ARRIVING_BODIES * settings.max_body_bytes)

    async def start(self, bundle_path: Path | None = None) -> None:
        """Load the bundle (in *bundle_path*, or the settings') and the catalogue, connect and warm up.

        Raises:
            ServingError: The service can't start, and why.
        """
        state = ServingState.load(self.settings, bundle_path)
        await state.connect()
        self.state = state

    async def stop(self) -> None:
        """Close what `start` opened."""
        state, self.state = self.state, None
        if state is not None:
            await state.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except ServingError as error:
                    log.error("start_refused", reason=str(error))  # noqa: TRY400 -- the sentence says it all
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request.from_scope(scope, receive)
        endpoint = "unmatched"
        bounded = False
        try:
            route, request.parameters = ROUTER.find(request.path)
            endpoint = route.path
            handler = ROUTER.handler(route, request.method)
            state = self.state
            if state is None:
                raise not_started()  # noqa: TRY301 - one place answers
            if route.bounded:
                if request.method == "POST":  # before it takes a place: a slow sender keeps nobody out
                    await request.load(
                        self.settings.max_body_bytes, self.settings.body_timeout_seconds, self._arrivals
                    )
                if state.in_flight >= self.settings.max_in_flight:
                    raise overloaded(self.settings.retry_after_seconds)  # noqa: TRY301
                bounded = True
                state.in_flight += 1
                metrics.IN_FLIGHT.add(1)
            response = await handler(state, request)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 -- the boundary: whatever it is, the client gets a problem
            response = self._refusal(error, request, endpoint)
        finally:
            if bounded and state is not None:
                state.in_flight -= 1
                metrics.IN_FLIGHT.add(-1)
        await _send(send, request, response)
        seconds = time.perf_counter() - started
        metrics.request_seconds(endpoint, response.outcome).observe(seconds)
        if response.outcome == SERVER_ERROR or random.random() < self.settings.access_log_ratio:
            log.info(
                "request",
                endpoint=endpoint,
                method=request.method,
                status=response.status,
                outcome=response.outcome,
                milliseconds=round(seconds * 1000, 3),
                request_id=request.request_id.decode(),
                traceparent=request.traceparent.decode() if request.traceparent else None,
            )

    def _refusal(self, error: Exception, request: Request, endpoint: str) -> Response:
        problem = problem_of(error, self.settings.retry_after_seconds)
        request_id = request.request_id.decode()
        if problem.kind.outcome == SERVER_ERROR:
            log.error("failed", endpoint=endpoint, request_id=request_id, exc_info=error)
        elif problem.kind.status >= SERVER_FAULT:
            reason = error.fault if isinstance(error, StoreUnavailable) else problem.kind.name
            self._refusals.warning("refused", reason, problem=problem.kind.name, detail=str(error))
        response = json_response(problem.document(request_id), problem.kind.status)
        response.content_type = PROBLEM
        response.headers = problem.headers
        response.outcome = problem.kind.outcome
        return response


async def _send(send: Send, request: Request, response: Response) -> None:
    headers = [
        (b"content-type", response.content_type),
        (b"content-length", str(len(response.body)).encode()),
        (b"x-request-id", request.request_id),
        *response.headers,
    ]
    if request.traceparent is not None:
        headers.append((b"traceparent", request.traceparent))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.body})


def create_app() -> KeepgrowApp:
    """Return the app with settings from the environment, for an ASGI server that runs its lifespan."""
    settings = load_settings()
    configure_logs(settings.log_level)
    return KeepgrowApp(settings)
