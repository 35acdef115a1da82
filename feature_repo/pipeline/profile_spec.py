"""What the `profile` view promises: names, types, words. The expressions stand in `profile`.

Most of it is for decisions (role `policy`): consent, quiet hours, incident and complaint windows.
"""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

PROFILE = ViewSpec(
    name="profile",
    description="Who the account is, what it consented to, and what holds back an action right now.",
    owner="revenue-operations",
    freshness_days=2,
    tables=("accounts", "subscriptions", "support_tickets", "incidents"),
    features=(
        Feature("segment", "String", "Market segment.", "segment", "The segment is {value}"),
        Feature("industry", "String", "Industry.", "industry", "The industry is {value}"),
        Feature("region", "String", "Sales or legal region.", "region", "The region is {value}"),
        Feature("timezone", "String", "IANA time zone name.", "timezone", role="policy"),
        Feature("locale", "String", "BCP 47 language tag.", "locale", role="policy"),
        Feature(
            "employees",
            "Int64",
            "Size of the customer's company in people.",
            "company_size",
            "The company has {value} people",
        ),
        Feature(
            "account_age_days",
            "Int64",
            "Days since the account was created.",
            "tenure",
            "The account is {days} old",
        ),
        Feature(
            "onboarding_days",
            "Int64",
            "Days that onboarding took from the account's creation, or has taken so far.",
            "onboarding",
            "Onboarding took {days}, or has so far",
        ),
        Feature("onboarded", "Bool", "Whether onboarding is completed.", "onboarding", "Onboarded: {value}"),
        Feature(
            "incidents_28d",
            "Int64",
            "Incidents that began in the last 28 days and affect the account.",
            "incidents",
            "{value} incidents affected the account in the last 28 days",
        ),
        Feature("consent_email", "Bool", "May be written to by e-mail.", "consent", role="policy"),
        Feature("consent_in_app", "Bool", "May be shown hints in the product.", "consent", role="policy"),
        Feature("consent_phone", "Bool", "May be called.", "consent", role="policy"),
        Feature(
            "preferred_channel", "String", "The channel that the account prefers.", "consent", role="policy"
        ),
        Feature(
            "quiet_hours_start",
            "Int64",
            "First quiet hour of the day, in the account's time zone.",
            "quiet_hours",
            role="policy",
        ),
        Feature(
            "quiet_hours_end",
            "Int64",
            "First hour after the quiet hours, in the account's time zone.",
            "quiet_hours",
            role="policy",
        ),
        Feature(
            "incident_active",
            "Bool",
            "Whether an incident affects the account at the end of the day.",
            "incidents",
            role="policy",
        ),
        Feature(
            "last_complaint_days",
            "Int64",
            "Days since the last complaint; null if there was none.",
            "complaints",
            role="policy",
        ),
        Feature(
            "has_active_subscription",
            "Bool",
            "Whether a subscription runs at the end of the day.",
            "subscription",
            role="policy",
        ),
    ),
)
