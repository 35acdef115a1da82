"""The composite health score of one day, from that day's rows of the other views.

Five parts, each from 0 (worst) to 100, with fixed weights; what is not known drops out and the weights of the
rest are scaled up. The weights and limits are chosen by hand, not fitted: the score is meant to be read and
recomputed by people. `docs/concepts/health.md` is its description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from feature_repo.pipeline.windows import at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

NEEDS = {
    "usage": (
        "login_days_28d_vs_baseline_ratio",
        "active_users_28d_vs_baseline_ratio",
        "api_calls_28d_vs_baseline_ratio",
        "events_28d_vs_baseline_ratio",
        "days_since_last_active",
    ),
    "adoption": ("adoption_ratio", "features_used_28d_vs_baseline_ratio"),
    "sentiment": (
        "tickets_90d",
        "ticket_sentiment_90d_mean",
        "csat_90d_mean",
        "complaints_90d",
        "escalations_90d",
    ),
    "commercial": ("invoices_overdue", "overdue_days_max", "payment_delay_days_180d_mean", "disputes_180d"),
    "engagement": ("days_since_last_touch", "email_open_ratio_90d", "nps_last"),
}
"""The features that the score is made from, by view."""

WEIGHTS = {"usage": 0.35, "adoption": 0.20, "support": 0.15, "payment": 0.15, "contact": 0.15}
AT_BASELINE = 80.0
MOST_OVER_BASELINE = 1.25
CALM_DAYS, DAYS_TO_NOTHING = 7, 28
NO_CONTACT_DAYS = 120.0


def parts(row: ir.Table) -> dict[str, ir.Column]:
    """Return the five parts of the score, each from 0 to 100 or null, of rows that hold the columns of `NEEDS`."""
    return {
        "usage": _usage(row),
        "adoption": _adoption(row),
        "support": _support(row),
        "payment": _payment(row),
        "contact": _contact(row),
    }


def level(row: ir.Table) -> ir.Column:
    """Return the score from 0 to 100 of rows that hold the `parts`; null where neither usage nor adoption is known."""
    nothing = ibis.literal(0.0)
    total, weight = nothing, nothing
    for name, share in WEIGHTS.items():
        total += row[name].fill_null(0.0) * share
        weight += ibis.ifelse(row[name].notnull(), ibis.literal(share), nothing)
    used = row["usage"].notnull() | row["adoption"].notnull()
    return ibis.ifelse(used, total / weight, ibis.null("float64"))


def _usage(row: ir.Table) -> ir.Column:
    """Return 80 at the own baseline and 100 from 1.25 times it on, the mean over the metrics known, less for idleness.

    From the eighth idle day on it falls in a straight line, to nothing on the 35th.
    """
    level_of = [_against_baseline(row[name]) for name in NEEDS["usage"][:4]]
    idle = at_least(row["days_since_last_active"].cast("float64") - float(CALM_DAYS), 0.0)
    awake = 1.0 - at_most(idle / float(DAYS_TO_NOTHING), 1.0)
    return _mean_of_known(level_of) * awake.fill_null(1.0)


def _adoption(row: ir.Table) -> ir.Column:
    """Return the mean of the plan's share in use and of the breadth against its own baseline."""
    share = at_most(row["adoption_ratio"], 1.0) * 100.0
    return _mean_of_known([share, _against_baseline(row["features_used_28d_vs_baseline_ratio"])])


def _support(row: ir.Table) -> ir.Column:
    """Return 80 for silence, up to 100 for a good and down to 0 for a bad mood, less for complaints and escalations."""
    mood = row["ticket_sentiment_90d_mean"].fill_null(0.0)
    felt = 80.0 + ibis.ifelse(mood > 0, mood * 20.0, mood * 80.0)
    rated = (row["csat_90d_mean"] - 1.0) * 25.0
    calm = _mean_of_known([felt, rated]) - row["complaints_90d"] * 10.0 - row["escalations_90d"] * 15.0
    return ibis.ifelse(row["tickets_90d"].notnull(), at_least(calm, 0.0), ibis.null("float64"))


def _payment(row: ir.Table) -> ir.Column:
    """Return 100 for a payer in time, less 2 a day overdue, 1 a day of mean delay (to 20) and 20 a dispute."""
    delay = at_most(at_least(row["payment_delay_days_180d_mean"].fill_null(0.0), 0.0), 20.0)
    paid = 100.0 - row["overdue_days_max"] * 2.0 - delay - row["disputes_180d"] * 20.0
    return ibis.ifelse(row["invoices_overdue"].notnull(), at_least(paid, 0.0), ibis.null("float64"))


def _contact(row: ir.Table) -> ir.Column:
    """Return the mean of how lately there was a touch, the share of mails opened, and the last recommendation."""
    lately = at_least(1.0 - row["days_since_last_touch"].cast("float64") / NO_CONTACT_DAYS, 0.0) * 100.0
    return _mean_of_known([lately, row["email_open_ratio_90d"] * 100.0, row["nps_last"] * 10.0])


def _against_baseline(ratio: ir.Column) -> ir.Column:
    return at_most(ratio, MOST_OVER_BASELINE) * AT_BASELINE


def _mean_of_known(values: Sequence[ir.Column]) -> ir.Column:
    nothing = ibis.literal(0.0)
    total, known = nothing, nothing
    for value in values:
        total += value.fill_null(0.0)
        known += ibis.ifelse(value.notnull(), ibis.literal(1.0), nothing)
    return total / known.nullif(0.0)
