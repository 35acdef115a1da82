"""What the `procurement` view promises: names, types, words. The expressions stand in `procurement`."""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

PROCUREMENT = ViewSpec(
    name="procurement",
    description="How the account buys: its budget year, the stage of a purchase, and its approval.",
    owner="revenue-operations",
    freshness_days=7,
    tables=("procurement_updates",),
    features=(
        Feature(
            "days_to_next_budget_start",
            "Int64",
            "Days until the account's next budget period begins, 0 on its first day, as far as it was told.",
            "budget",
            "{days} until the account's next budget period begins",
        ),
        Feature(
            "procurement_stage",
            "String",
            "The last stage of a purchase that became known.",
            "procurement",
            "The purchase is at the stage {value}",
            role="policy",
        ),
        Feature(
            "procurement_stage_rank",
            "Int64",
            "How far a purchase has come: 1 need identified, 2 evaluation, 3 legal and security review, 4 negotiation, "
            "5 awaiting the order; 0 once it is ordered or abandoned.",
            "procurement",
            "A purchase stands at stage {value} of 5",
        ),
        Feature(
            "days_in_procurement_stage",
            "Int64",
            "Days since the stage last changed.",
            "procurement",
            "{days} at the same stage of a purchase",
        ),
        Feature(
            "approval_pending",
            "Bool",
            "Whether the last that became known of an approval is that it is pending.",
            "approval",
            "Approval of the spending pending: {value}",
        ),
        Feature(
            "approval_pending_days",
            "Int64",
            "Days since an approval that is still pending was asked for; null if none is.",
            "approval",
            "{days} since approval of the spending was asked for",
        ),
        Feature(
            "approvals_refused_365d",
            "Int64",
            "Approvals that were refused in the last 365 days.",
            "approval",
            "{value} approvals were refused in the last 365 days",
        ),
    ),
)
