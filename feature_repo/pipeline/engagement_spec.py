"""What the `engagement` view promises: names, types, words. The expressions stand in `engagement`."""

from __future__ import annotations

from feature_repo.pipeline.spec import Feature, ViewSpec

ENGAGEMENT = ViewSpec(
    name="engagement",
    description="How the customer's people respond: mails, calls, meetings, trainings, surveys.",
    owner="customer-success",
    freshness_days=7,
    tables=("engagements",),
    features=(
        Feature(
            "touches_28d",
            "Int64",
            "Touches with the customer's people in the last 28 days, mails that were only sent left out.",
            "touches",
            "{value} touches with the customer's people in the last 28 days",
        ),
        Feature(
            "days_since_last_touch",
            "Int64",
            "Days since the last touch, mails that were only sent left out.",
            "touches",
            "{days} since the last touch with the customer's people",
        ),
        Feature(
            "email_open_ratio_90d",
            "Float64",
            "Mails opened divided by mails sent in the last 90 days.",
            "emails",
            "{percent} % of the mails of the last 90 days were opened",
        ),
        Feature(
            "calls_90d",
            "Int64",
            "Calls in the last 90 days.",
            "calls",
            "{value} calls in the last 90 days",
        ),
        Feature(
            "meetings_90d",
            "Int64",
            "Meetings in the last 90 days.",
            "meetings",
            "{value} meetings in the last 90 days",
        ),
        Feature(
            "trainings_completed_180d",
            "Int64",
            "Trainings completed in the last 180 days.",
            "trainings",
            "{value} trainings completed in the last 180 days",
        ),
        Feature(
            "nps_last",
            "Float64",
            "Last answer to the recommendation survey, 0 to 10.",
            "nps",
            "The last recommendation score is {value} of 10",
        ),
        Feature(
            "sponsor_contacts_90d",
            "Int64",
            "Contacts with the customer's sponsor in the last 90 days.",
            "sponsor",
            "{value} contacts with the sponsor in the last 90 days",
        ),
        Feature(
            "people_touched_90d",
            "Int64",
            "Different people of the customer with a touch in the last 90 days.",
            "people",
            "{value} different people of the customer were in touch in the last 90 days",
        ),
        Feature(
            "days_since_sponsor_contact",
            "Int64",
            "Days since the last contact with the customer's sponsor; null if there was none.",
            "sponsor",
            "{days} since the last contact with the sponsor",
        ),
        Feature(
            "days_since_training",
            "Int64",
            "Days since the last completed training; null if there was none.",
            "trainings",
            "{days} since the last completed training",
        ),
        Feature(
            "email_click_ratio_90d",
            "Float64",
            "Mails clicked divided by mails sent in the last 90 days.",
            "emails",
            "{percent} % of the mails of the last 90 days were clicked",
        ),
        Feature(
            "nps_change",
            "Float64",
            "Last answer to the recommendation survey less the one before it, in points.",
            "nps",
            "The recommendation score moved by {value} points from one survey to the next",
        ),
    ),
)
