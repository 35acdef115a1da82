"""What the ablation says of each view, from comparisons of models with and without it."""

from __future__ import annotations

from benchmarks.ablation import left_out, sentences
from training.evaluation.ablation import METRICS, Ablation
from training.evaluation.bootstrap import Estimate

NOTHING = Estimate(0.0, -0.01, 0.01)


def compared(group, *, head="churn", horizon=30, kind="without", auc=NOTHING, log_loss=NOTHING):
    """Return one comparison, with no difference but those that are given."""
    change = dict.fromkeys(METRICS, NOTHING) | {"auc": auc, "log_loss": log_loss}
    return Ablation(
        head, horizon, group, kind, 3, dict.fromkeys(METRICS, 0.7), dict.fromkeys(METRICS, 0.7), change
    )


FOUND = [
    compared("usage", auc=Estimate(-0.04, -0.07, -0.02)),
    compared("usage", head="upsell", log_loss=Estimate(-0.004, -0.007, -0.001)),
    compared("peers"),
    compared("peers", head="upsell"),
    compared("peers", kind="alone", auc=Estimate(-0.2, -0.3, -0.1)),
]


def test_a_view_earns_its_place_where_it_is_missed_and_that_is_said():
    """Where a view is surely missed and where the model is better without it is named; an even one is called so."""
    assert sentences(FOUND) == (
        "usage: missed (churn 30); better without (upsell 30). peers: no sure difference anywhere."
    )


def test_the_table_has_one_figure_with_its_interval_for_each_view_head_and_horizon():
    """Only models without a view are in it, and changes that leave out zero are bold."""
    lines = left_out(FOUND).splitlines()
    assert lines[0] == "| without | churn 30 days | upsell 30 days |"
    assert lines[2] == "| usage (3) | **-0.040 [-0.070, -0.020]** | +0.000 [-0.010, +0.010] |"
    assert lines[3] == "| peers (3) | +0.000 [-0.010, +0.010] | +0.000 [-0.010, +0.010] |"
    assert len(lines) == 4
