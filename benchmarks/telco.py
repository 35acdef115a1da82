"""IBM's Telco churn: the trainer on a snapshot of 7,043 customers, by five-fold cross-validation of ROC AUC."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from benchmarks.contest import circumstances, contest, folds_sentence
from benchmarks.plan import asked
from benchmarks.result import Figure, Line, Result, write
from benchmarks.shared_data import shared
from benchmarks.tables import Table
from benchmarks.targets import cross_validated_targets
from training.evaluation import metrics

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.plan import Run

NUMBERS: Final = ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")
PUBLISHED: Final = (("gradient boosting", 0.843), ("logistic regression", 0.842))


def read_table(path: Path) -> Table:
    """Read the customers; a total that is blank, since nothing was billed yet, is missing."""
    frame = pd.read_csv(path)
    label = np.asarray(frame["Churn"] == "Yes", dtype=np.float64)
    features: pd.DataFrame = frame.drop(columns=["customerID", "Churn"])
    features["TotalCharges"] = pd.to_numeric(features["TotalCharges"], errors="coerce")
    return Table.of(features, label, frozenset(features.columns) - frozenset(NUMBERS))


def monthly_charges(table: Table) -> NDArray[np.float64]:
    """Return what each customer pays a month, shape (n,)."""
    names = [column.name for column in table.columns]
    return table.matrix[:, names.index("MonthlyCharges")]


def measure(run: Run) -> Result:
    """Return the comparison."""
    started = time.monotonic()
    table = read_table(shared("telco", "Telco-Customer-Churn.csv"))
    lines, missing = contest(
        table, {"roc_auc": metrics.roc_auc, "average_precision": metrics.average_precision}, run.plan
    )
    lines += [
        Line(
            model=f"{name}, published",
            kind="published",
            figures={"roc_auc": Figure(value=value)},
            note="five folds, other draws",
        )
        for name, value in PUBLISHED
    ]
    return Result(
        name="telco",
        title="Telco churn",
        data=f"IBM's sample: {len(table.label):,} customers, {len(table.columns)} features, {int(table.label.sum()):,} "
        "left; a snapshot without time.",
        split=folds_sentence(run.plan),
        metrics={"roc_auc": ("ROC AUC", 4), "average_precision": ("average precision", 3)},
        lines=tuple(lines),
        targets=tuple(cross_validated_targets(table, run.plan, mrr=monthly_charges(table))),
        missing=tuple(missing),
        **circumstances(run, time.monotonic() - started),
    )


if __name__ == "__main__":
    request = asked("Telco churn: Keepgrow's trainer against tuned boosting libraries")
    write(measure(request), request.out)
