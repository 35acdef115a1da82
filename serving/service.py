"""The BentoML service: packaging, workers, model tags and typed methods around the ASGI app.

BentoML (1.4) runs no lifespan of a mounted ASGI app and registers its own `/livez`, `/readyz` and `/metrics`
ahead of mounted apps. So the app is started and stopped by hooks, and `FrontDoor` hands it every path but
those of BentoML's methods and schema; BentoML's access log, tracing and metrics, which cost much, are off.
"""

# mypy: disable-error-code="untyped-decorator"
# BentoML's decorators bring no types.

import asyncio
import logging
import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.exceptions import InvalidArgument, NotFound, ServiceUnavailable
from bentoml.models import BentoModel
from pydantic import Field

from serving import answers, guarded_http
from serving.api.problems import ProblemError
from serving.api.requests import AccountId, refuse_repeated
from serving.api.responses import DecisionAnswer, ScoreAnswer, ScoresAnswer
from serving.api.score import problems
from serving.app import KeepgrowApp
from serving.bundle.store import MODEL_NAME, find_bundle
from serving.configured import bundle_to_serve
from serving.decisions.catalogue import Surface
from serving.errors import BundleError, LedgerUnavailable, ServingError, StoreUnavailable, UnknownAccount
from serving.front_door import FrontDoor
from serving.logs import configure_logs
from serving.many_accounts import score_accounts
from serving.settings import load_settings
from serving.state import ServingState

TIMEOUT_SECONDS = 2
"""For BentoML's own methods, of which it keeps every request alive until this timer fires."""


def _tag_to_pack(named: str) -> str:
    """Return the tag with the version that *named* stands for now: BentoML knows of no champion."""
    try:
        return f"{MODEL_NAME}:{find_bundle(named).name}"
    except BundleError:  # as in a container, where the bundle is in the bento and there is no store
        return named


try:
    SETTINGS = load_settings()
except ServingError as error:
    raise SystemExit(f"error: {error}") from None
APP = KeepgrowApp(SETTINGS)
guarded_http.install()


@bentoml.service(
    name="keepgrow",
    workers=SETTINGS.workers,
    traffic={"timeout": TIMEOUT_SECONDS},
    http={"host": SETTINGS.host, "port": SETTINGS.port},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": [".*"]},
    runner_probe={"enabled": False},
)
class Keepgrow:
    """Churn risk, upsell probability and the next best action for customer accounts."""

    bundle = BentoModel(_tag_to_pack(SETTINGS.model))

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Refuse once, in one sentence, what workers would refuse and BentoML start again for ever."""
        try:
            asyncio.run(_try_out())
        except ServingError as error:
            raise SystemExit(f"error: {error}") from None

    @bentoml.on_startup
    async def start(self) -> None:
        """Load the bundle, warm up and connect, in the event loop that will answer."""
        configure_logs(SETTINGS.log_level)
        # uvicorn makes a line of every request for this logger, which BentoML then throws away.
        logging.getLogger("uvicorn.access").propagate = False
        await APP.start(_bundle_path())

    @bentoml.on_shutdown
    async def stop(self) -> None:
        """Close the connection to the store."""
        await APP.stop()

    @bentoml.api
    async def score(self, account_id: AccountId) -> ScoreAnswer:
        """Score one account; the same as `POST /v1/score` with `account_id`."""
        try:
            scored = await answers.score_account(_state(), account_id)
            score = scored.score
        except (UnknownAccount, StoreUnavailable) as error:
            raise _bentoml_error(error) from error
        return ScoreAnswer.model_validate(score.to_dict())

    @bentoml.api
    async def score_many(
        self, account_ids: Annotated[list[AccountId], Field(min_length=1, max_length=SETTINGS.max_accounts)]
    ) -> ScoresAnswer:
        """Score several accounts; the same as `POST /v1/score` with `account_ids`."""
        try:
            refuse_repeated(account_ids)
            scored = await score_accounts(_state(), account_ids)
        except (ProblemError, StoreUnavailable) as error:
            raise _bentoml_error(error) from error
        return ScoresAnswer.model_validate(
            {"scores": [score.to_dict() for score in scored.known], "errors": problems(scored)}
        )

    @bentoml.api
    async def next_best_action(self, account_id: AccountId, surface: Surface | None = None) -> DecisionAnswer:
        """Decide on one account; the same as `POST /v1/next-best-action`."""
        try:
            decision = await answers.next_best_action(_state(), account_id, surface)
        except (UnknownAccount, StoreUnavailable, LedgerUnavailable) as error:
            raise _bentoml_error(error) from error
        return DecisionAnswer.model_validate(decision.to_dict())


_SERVICE: Any = Keepgrow
_SERVICE.mount_asgi_app(APP, path="/", name="keepgrow")
_SERVICE.add_asgi_middleware(FrontDoor, front=APP)


def _bundle_path() -> Path:
    """Return the bundle that the environment names, else the one that was built in, else the champion or the latest.

    BentoML itself would resolve `latest` anew at each start, even inside a bento.

    Raises:
        BundleError: There is no such bundle.
    """
    if "KEEPGROW_MODEL" not in os.environ and _SERVICE.bento is not None:
        for model in _SERVICE.bento.info.all_models:
            if model.tag.name == MODEL_NAME:
                return Path(model.to_model().resolve().path)
    return bundle_to_serve(SETTINGS.model)


async def _try_out() -> None:
    """Load what a worker would load and look at the store, then let go of both."""
    state = ServingState.load(SETTINGS, _bundle_path())
    try:
        await state.ledger.check()
        await state.reader.check_store(SETTINGS.redis_timeout_seconds)
    except StoreUnavailable:
        return
    finally:
        await state.close()


def _state() -> ServingState:
    if APP.state is None:
        raise ServiceUnavailable("The service is starting.")
    return APP.state


def _bentoml_error(error: Exception) -> Any:  # noqa: ANN401 - BentoML brings no types
    if isinstance(error, UnknownAccount):
        return NotFound(str(error))
    if isinstance(error, ProblemError):
        return InvalidArgument(error.detail)
    if isinstance(error, LedgerUnavailable):
        return ServiceUnavailable("The decision could not be recorded in time.")
    return ServiceUnavailable("The online store did not answer in time.")
