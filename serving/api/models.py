"""`GET /v1/models` and `GET /models/{tag}`: which bundle is served, and its card for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.api.messages import Request, Response, json_response
from serving.api.problems import UNKNOWN_MODEL, ProblemError

if TYPE_CHECKING:
    from serving.state import ServingState

CARD_FILE = "card.html"


async def listing(state: ServingState, _request: Request) -> Response:
    """Answer with the bundle that is served: tag, contract, heads, tiers, provenance."""
    manifest = state.bundle.manifest
    card = (state.bundle.path / CARD_FILE).is_file()
    return json_response(
        {
            "models": [
                {
                    "model": state.bundle.tag,
                    "feature_contract": manifest.contract_hash,
                    "feature_service": manifest.contract.feature_service,
                    "catalogue": state.catalogue.hash,
                    "heads": [
                        {
                            "name": head.name,
                            "horizons_days": list(head.horizons_days),
                            "definition": head.definition,
                            "thresholds": head.thresholds,
                        }
                        for head in manifest.heads
                    ],
                    "score_horizon_days": manifest.score_horizon_days,
                    "tiers": [tier.model_dump() for tier in manifest.tiers],
                    "provenance": manifest.provenance.model_dump(mode="json"),
                    "card": f"/models/{state.bundle.tag}" if card else None,
                }
            ]
        }
    )


async def card(state: ServingState, request: Request) -> Response:
    """Answer with the model card of the bundle that is served."""
    tag = request.parameters["tag"]
    path = state.bundle.path / CARD_FILE
    if tag not in {state.bundle.tag, state.bundle.tag.partition(":")[2]}:
        raise ProblemError(UNKNOWN_MODEL, "No such model is served here; `/v1/models` lists those that are.")
    if not path.is_file():
        raise ProblemError(UNKNOWN_MODEL, "The bundle that is served has no card.")
    return Response(
        path.read_bytes(),
        content_type=b"text/html; charset=utf-8",
        headers=(
            (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
        ),
    )
