"""Labels on hand-made accounts: what counts as churn and as upsell, when, and when it is known."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.periods import PLANS, Period, subscriptions
from training.definitions import load_definitions
from training.errors import DatasetError
from training.labels import label_accounts, read_labels

CUTOFF = dt.date(2024, 3, 1)
END = dt.date(2024, 12, 31)
DEFINITIONS = load_definitions()


def labelled(*periods, cutoff=CUTOFF, end=END, definitions=DEFINITIONS, withheld=()):
    """Label the periods at one cutoff."""
    return label_accounts(
        subscriptions(*periods),
        [cutoff],
        end_day=end,
        plan_order=PLANS,
        definitions=definitions,
        withheld=withheld,
    )


def days(labels, head):
    """Return the days to the event of the one row."""
    assert len(labels) == 1
    return labels.event_days[head][0]


def test_renewals_back_to_back_are_no_event():
    """Monthly periods that follow one another with the same plan and seats are neither churn nor upsell."""
    months = [Period(f"2024-{month:02d}-10", f"2024-{month + 1:02d}-10") for month in range(1, 9)]
    labels = labelled(*months, Period("2024-09-10"))
    assert days(labels, "churn") == np.inf
    assert days(labels, "upsell") == np.inf


def test_a_gap_of_exactly_the_grace_days_is_staying():
    """A paid period that starts on the last grace day after the former's end keeps the account."""
    labels = labelled(Period("2024-01-01", "2024-03-21"), Period("2024-04-20"))
    assert days(labels, "churn") == np.inf


def test_a_gap_beyond_the_grace_days_is_churn_at_the_end_of_the_paid_period():
    """One second more than the grace days is churn, dated at the old period's end, not at the end of the grace."""
    labels = labelled(Period("2024-01-01", "2024-03-21"), Period("2024-04-20T00:00:01"))
    assert days(labels, "churn") == 20


def test_the_grace_days_come_from_the_definitions():
    """With no grace days, any gap is churn."""
    strict = DEFINITIONS.model_copy(update={"churn": DEFINITIONS.churn.model_copy(update={"grace_days": 0})})
    periods = (Period("2024-01-01", "2024-03-21"), Period("2024-03-22"))
    assert days(labelled(*periods), "churn") == np.inf
    assert days(labelled(*periods, definitions=strict), "churn") == 20


def test_a_trial_after_the_end_does_not_keep_the_account():
    """A trial is not paid: it neither prevents churn nor puts an account at risk."""
    labels = labelled(Period("2024-01-01", "2024-03-21"), Period("2024-03-21", is_trial=True))
    assert days(labels, "churn") == 20
    assert len(labelled(Period("2024-01-01", is_trial=True))) == 0


def test_an_absent_trial_flag_means_paid():
    """`is_trial` null is a paid subscription."""
    assert days(labelled(Period("2024-01-01", "2024-03-21", is_trial=None)), "churn") == 20


def test_a_running_period_without_an_end_is_no_event():
    """`ended_at` null is a subscription that runs."""
    assert days(labelled(Period("2024-01-01")), "churn") == np.inf


def test_an_upgrade_at_renewal_is_an_upsell_and_not_churn():
    """A higher plan that starts as the old period ends is an upsell at its start."""
    labels = labelled(Period("2024-01-01", "2024-04-10"), Period("2024-04-10", plan="premier"))
    assert days(labels, "upsell") == 40
    assert days(labels, "churn") == np.inf


def test_an_upgrade_after_a_gap_within_grace_counts():
    """An upgrade may come a few days after the old period's end."""
    labels = labelled(Period("2024-01-01", "2024-04-01"), Period("2024-04-11", plan="premier"))
    assert days(labels, "upsell") == 41


def test_more_seats_are_an_upsell_unless_the_plan_falls():
    """Seats count on the same or a higher plan; a fall in plan with more seats is no upsell, nor are fewer seats."""
    before = Period("2024-01-01", "2024-03-31")
    assert days(labelled(before, Period("2024-03-31", seats=11)), "upsell") == 30
    assert days(labelled(before, Period("2024-03-31", seats=9)), "upsell") == np.inf
    assert days(labelled(before, Period("2024-03-31", seats=99, plan="starter")), "upsell") == np.inf


def test_a_downgrade_is_no_event():
    """A lower plan is neither upsell nor churn."""
    labels = labelled(Period("2024-01-01", "2024-03-31"), Period("2024-03-31", plan="starter"))
    assert days(labels, "upsell") == np.inf
    assert days(labels, "churn") == np.inf


def test_a_plan_outside_the_order_has_no_rank_but_its_seats_count():
    """A plan that the order lacks can't be a move up; more seats on it still are."""
    before = Period("2024-01-01", "2024-03-31", plan="legacy")
    assert days(labelled(before, Period("2024-03-31", plan="premier")), "upsell") == np.inf
    assert days(labelled(before, Period("2024-03-31", plan="premier", seats=20)), "upsell") == 30


def test_a_second_subscription_beside_the_first_counts_by_the_largest():
    """Of periods that overlap, the largest plan and the most seats count, so that an overlap alone is no upsell."""
    base = Period("2024-01-01", "2024-04-05")
    assert days(labelled(base, Period("2024-04-01")), "upsell") == np.inf
    assert days(labelled(base, Period("2024-04-01", plan="premier")), "upsell") == 31


def test_coverage_by_an_overlapping_period_prevents_churn():
    """Churn is the end of all paid coverage, not of one subscription."""
    labels = labelled(Period("2024-01-01", "2024-03-11"), Period("2024-02-01", "2024-05-10"))
    assert days(labels, "churn") == 70


def test_a_win_back_is_a_new_beginning():
    """After churn the account isn't at risk until it pays again; what it then buys is no upsell of the old spell."""
    periods = (Period("2023-01-01", "2023-06-01"), Period("2024-02-01", plan="premier"))
    assert len(labelled(*periods, cutoff=dt.date(2023, 9, 1))) == 0
    early = labelled(*periods, cutoff=dt.date(2023, 5, 1))
    assert days(early, "churn") == 31
    assert days(early, "upsell") == np.inf
    assert days(labelled(*periods), "churn") == np.inf


def test_only_accounts_that_paid_before_the_cutoff_are_at_risk():
    """What happens at the very cutoff lies ahead: a first period has no features yet, an end or a move is an event."""
    assert len(labelled(Period("2024-03-01"))) == 0
    assert days(labelled(Period("2024-01-01", "2024-03-01")), "churn") == 0
    renewed = labelled(Period("2024-01-01", "2024-03-01"), Period("2024-03-01", plan="premier"))
    assert len(renewed) == 1
    assert days(renewed, "churn") == np.inf
    assert days(renewed, "upsell") == 0


def test_an_account_in_a_gap_is_not_at_risk():
    """Within the grace days after an end no paid subscription is active."""
    assert len(labelled(Period("2024-01-01", "2024-02-20"), Period("2024-03-10"))) == 0


def test_an_event_belongs_to_the_interval_that_begins_with_it():
    """The interval [T, T+h) does not hold an event at exactly T+h; the next one does, and no later one is at risk."""
    spans = labelled(Period("2024-01-01", "2024-03-30T23:59:59")).intervals("churn")
    assert spans.event.tolist() == [[True, False, False]]
    assert spans.at_risk.tolist() == [[True, False, False]]
    later = labelled(Period("2024-01-01", "2024-03-31")).intervals("churn")
    assert later.event.tolist() == [[False, True, False]]
    assert later.at_risk.tolist() == [[True, True, False]]


def test_churn_before_an_upsell_stays_in_the_risk_set_without_an_event():
    """Leaving first is 'did not expand', not 'unknown': all upsell intervals are observed and hold no event."""
    spans = labelled(Period("2024-01-01", "2024-03-11")).intervals("upsell")
    assert spans.at_risk.all()
    assert spans.observed.all()
    assert not spans.event.any()


@pytest.mark.parametrize(
    ("end", "churn", "upsell"),
    [
        (dt.date(2024, 4, 28), [False, False, False], [True, False, False]),
        (dt.date(2024, 4, 29), [True, False, False], [True, True, False]),
        (dt.date(2024, 5, 29), [True, True, False], [True, True, True]),
        (dt.date(2024, 6, 28), [True, True, True], [True, True, True]),
    ],
)
def test_a_label_is_known_once_the_data_reaches_past_horizon_and_grace(end, churn, upsell):
    """Churn within h days of T is known when the data is complete to T + h + grace; upsell at T + h."""
    labels = labelled(Period("2024-01-01"), end=end)
    assert labels.intervals("churn").observed.tolist() == [churn]
    assert labels.intervals("upsell").observed.tolist() == [upsell]
    assert np.isnan(labels.outcome("churn", 90)[0]) == (not churn[2])


def test_labels_known_by_a_day_are_those_of_data_that_end_there():
    """Censoring at a day gives the same observed intervals as data that ended the day before."""
    full = labelled(Period("2024-01-01", "2024-04-10")).known_by(dt.date(2024, 5, 15), DEFINITIONS)
    cut = labelled(Period("2024-01-01", "2024-04-10"), end=dt.date(2024, 5, 14))
    for head in ("churn", "upsell"):
        assert full.intervals(head).observed.tolist() == cut.intervals(head).observed.tolist()


def test_an_end_that_lies_after_the_data_is_not_yet_churn():
    """A cancellation that takes effect after the end of data decides no observed interval."""
    labels = labelled(Period("2024-01-01", "2024-05-01"), end=dt.date(2024, 4, 15))
    spans = labels.intervals("churn")
    assert not (spans.event & spans.observed).any()


def test_periods_of_no_length_are_ignored():
    """A period that ends as it begins covers nothing and is no upsell."""
    labels = labelled(Period("2024-01-01", "2024-04-10"), Period("2024-03-15", "2024-03-15", plan="premier"))
    assert days(labels, "upsell") == np.inf
    assert days(labels, "churn") == 40


def test_withheld_accounts_are_left_out_and_counted():
    """Accounts that refuse training appear in no label."""
    labels = labelled(Period("2024-01-01"), Period("2024-01-01", account="b"), withheld=("a", "x"))
    assert labels.account_id.tolist() == ["b"]
    assert labels.withheld_accounts == 2


def test_account_ids_are_compared_byte_for_byte():
    """Two accounts that differ by case, and one with an emoji, are three accounts."""
    labels = labelled(*(Period("2024-01-01", account=name) for name in ("Acme", "acme", "🦊")))
    assert labels.account_id.tolist() == ["Acme", "acme", "🦊"]


def test_several_cutoffs_come_ordered_by_account_and_cutoff():
    """A row per account and cutoff at which it is at risk."""
    labels = label_accounts(
        subscriptions(Period("2024-01-01", "2024-03-20", account="b"), Period("2024-01-01", account="a")),
        [dt.date(2024, 4, 1), dt.date(2024, 3, 1)],
        end_day=END,
        plan_order=PLANS,
        definitions=DEFINITIONS,
    )
    found = list(zip(labels.account_id.tolist(), labels.cutoff.astype(str).tolist(), strict=True))
    assert found == [("a", "2024-03-01"), ("a", "2024-04-01"), ("b", "2024-03-01")]


def test_a_missing_column_is_named():
    """Labels say which column they lack."""
    with pytest.raises(DatasetError, match="is_trial"):
        label_accounts(
            subscriptions(Period("2024-01-01")).drop_columns(["is_trial"]),
            [CUTOFF],
            end_day=END,
            plan_order=PLANS,
            definitions=DEFINITIONS,
        )


def test_labels_of_a_folder_leave_out_accounts_that_refuse_training(tmp_path):
    """`consent_training` false keeps an account out; null and true keep it in; the plan order is the folder's."""
    moment = pa.timestamp("us", tz="UTC")
    rows = subscriptions(
        *(Period("2024-01-01", "2024-04-10", account=name) for name in "abc"),
        Period("2024-04-10", plan="premier", account="a"),
    )
    rows = rows.append_column("subscription_id", pa.array([str(row) for row in range(4)]))
    rows = rows.append_column("mrr", pa.array([10.0] * 4)).append_column("currency", pa.array(["EUR"] * 4))
    pq.write_table(rows, tmp_path / "subscriptions.parquet")
    pq.write_table(
        pa.table(
            {
                "account_id": ["a", "b", "c"],
                "created_at": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * 3, moment),
                "consent_training": pa.array([None, False, True]),
            }
        ),
        tmp_path / "accounts.parquet",
    )
    (tmp_path / "dataset.yaml").write_text(
        "end_day: 2024-12-31\nplan_order: [basic, premier]\n", encoding="utf-8"
    )
    labels = read_labels(tmp_path, [CUTOFF], DEFINITIONS)
    assert labels.account_id.tolist() == ["a", "c"]
    assert labels.withheld_accounts == 1
    assert labels.outcome("upsell", 60).tolist() == [1.0, 0.0]
    assert labels.outcome("churn", 60).tolist() == [0.0, 1.0]


def test_a_folder_without_subscriptions_is_refused(tmp_path):
    """Labels can't be made from nothing, and say which table is missing."""
    with pytest.raises(DatasetError, match="subscriptions"):
        read_labels(tmp_path, [CUTOFF], DEFINITIONS)


def test_rows_are_found_by_cutoff_and_tell_the_days_to_a_day():
    """Cutoffs choose rows whatever their order; days count from each row's own cutoff, also backwards."""
    first, second = dt.date(2024, 3, 1), dt.date(2024, 4, 1)
    labels = label_accounts(
        subscriptions(Period("2024-01-01")),
        [first, second],
        end_day=dt.date(2024, 12, 31),
        plan_order=(),
        definitions=DEFINITIONS,
    )
    assert labels.at_cutoffs((second, dt.date(2024, 7, 1))).tolist() == [False, True]
    assert labels.days_until(dt.date(2024, 3, 11)).tolist() == [10.0, -21.0]
    assert labels.days_until(np.datetime64("2024-03-11", "D")).tolist() == [10.0, -21.0]
