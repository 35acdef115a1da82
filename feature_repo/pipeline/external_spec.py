"""What the `external` view promises: names, types, words. The expressions stand in `external`."""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

_SPOKEN = {
    "market": "the market",
    "competitor": "competitors",
    "regulation": "regulation",
    "economy": "the economy",
}


def _of_kind(kind: str, spoken: str) -> tuple[Feature, Feature]:
    return (
        Feature(
            f"{kind}_signal_level",
            "Float64",
            f"The newest level on record of signals about {spoken} that concern the account, -1 (most adverse) to 1.",
            f"{kind}_signals",
            f"The newest signal about {spoken} stands at {{value}} between -1 (adverse) and 1",
        ),
        Feature(
            f"{kind}_signal_change_90d",
            "Float64",
            f"That level less the one that was the newest on record 90 days before, about {spoken}.",
            f"{kind}_signals",
            f"Signals about {spoken} moved by {{value}} in 90 days, on a scale from -1 to 1",
        ),
    )


EXTERNAL = ViewSpec(
    name="external",
    description="What happens outside: market, competitors, regulation, economy, as it was on record.",
    owner="revenue-operations",
    freshness_days=7,
    tables=("external_signals",),
    features=(
        *(feature for kind, spoken in _SPOKEN.items() for feature in _of_kind(kind, spoken)),
        Feature(
            "adverse_signals_90d",
            "Int64",
            "External signals with a level below 0 that concern the account and came on record in the last 90 days.",
            "adverse_signals",
            "{value} adverse outside signals in the last 90 days",
        ),
        Feature(
            "days_since_adverse_signal",
            "Int64",
            "Days since an external signal with a level below 0 came on record.",
            "adverse_signals",
            "{days} since the last adverse outside signal",
        ),
        Feature(
            "days_since_external_signal",
            "Int64",
            "Days since any external signal that concerns the account came on record.",
            "external_signals",
            "{days} since the last outside signal",
        ),
    ),
)
