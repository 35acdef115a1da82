"""What the `sentiment` view promises: names, types, words. The expressions stand in `sentiment`."""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

SENTIMENT = ViewSpec(
    name="sentiment",
    description="Volume, pace and mood of the account's support tickets.",
    owner="customer-support",
    freshness_days=3,
    tables=("support_tickets",),
    features=(
        Feature(
            "tickets_90d",
            "Int64",
            "Support tickets opened in the last 90 days.",
            "tickets",
            "{value} support tickets opened in the last 90 days",
        ),
        Feature(
            "urgent_tickets_90d",
            "Int64",
            "Urgent tickets opened in the last 90 days.",
            "urgent_tickets",
            "{value} urgent tickets in the last 90 days",
        ),
        Feature(
            "escalations_90d",
            "Int64",
            "Tickets closed in the last 90 days that had been escalated.",
            "escalations",
            "{value} escalated tickets in the last 90 days",
        ),
        Feature(
            "complaints_90d",
            "Int64",
            "Complaints opened in the last 90 days.",
            "complaints",
            "{value} complaints in the last 90 days",
        ),
        Feature(
            "open_tickets",
            "Int64",
            "Tickets that are open at the end of the day.",
            "open_tickets",
            "{value} tickets are open",
        ),
        Feature(
            "ticket_sentiment_90d_mean",
            "Float64",
            "Mean mood of the tickets opened in the last 90 days, from -1 (negative) to 1.",
            "ticket_mood",
            "The mean mood of tickets over the last 90 days is {value} on a scale from -1 to 1",
        ),
        Feature(
            "ticket_sentiment_90d_slope",
            "Float64",
            "Change of ticket mood in 30 days, by least squares over the tickets of the last 90 days "
            "(three or more).",
            "ticket_mood",
            "The mood of tickets moves by {value} a month",
        ),
        Feature(
            "csat_90d_mean",
            "Float64",
            "Mean satisfaction (1 worst to 5 best) of the tickets closed in the last 90 days.",
            "csat",
            "Satisfaction with support is {value} of 5 over the last 90 days",
        ),
        Feature(
            "first_response_hours_90d_mean",
            "Float64",
            "Mean hours until the first answer, over the tickets first answered in the last 90 days.",
            "support_pace",
            "Support took {value} hours to answer, on average over the last 90 days",
        ),
    ),
)
