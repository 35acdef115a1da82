"""CoIL 2000: who would buy a caravan insurance too; the share of owners in the best fifth, by cross-validation."""

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

TOP: Final = 0.2
NOMINAL: Final = frozenset({"0", "4"})
"""Customer subtype (41 kinds) and main type (10 kinds); all other columns are ordered classes or counts."""
WINNER_FOUND, OWNERS = 121, 238


def read_table(path: Path) -> Table:
    """Read the training rows of the task: 85 columns and, last, whether the customer owns such a policy."""
    frame = pd.read_csv(path, sep="\t", header=None)
    label = frame.pop(frame.columns[-1]).to_numpy(dtype=np.float64)
    return Table.of(frame.rename(columns=str), label, NOMINAL)


def lift(
    label: NDArray[np.float64], score: NDArray[np.float64], weight: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the share of owners in the best fifth over their share in all rows, shape (b,)."""
    return metrics.lift_at_top(label, score, TOP, weight)


def measure(run: Run) -> Result:
    """Return the comparison."""
    started = time.monotonic()
    table = read_table(shared("coil2000", "ticdata2000.txt"))
    lines, missing = contest(
        table,
        {"lift": lift, "average_precision": metrics.average_precision, "roc_auc": metrics.roc_auc},
        run.plan,
    )
    won = WINNER_FOUND / OWNERS
    lines.append(
        Line(
            model="the winner of the task, published",
            kind="published",
            figures={"lift": Figure(value=round(won / TOP, 4))},
            note=f"{WINNER_FOUND} of {OWNERS} in the best 800 of 4,000 other rows, which are not here: not comparable "
            "to the digit",
        )
    )
    return Result(
        name="coil2000",
        title="CoIL 2000 cross-sell",
        data=f"The task's training rows: {len(table.label):,} customers, {len(table.columns)} features, "
        f"{int(table.label.sum())} own a caravan policy.",
        split=folds_sentence(run.plan)
        + " The best fifth of each held-out fold corresponds to the task's 800 of 4,000.",
        metrics={
            "lift": ("lift in the best fifth", 2),
            "average_precision": ("average precision", 3),
            "roc_auc": ("ROC AUC", 3),
        },
        lines=tuple(lines),
        targets=tuple(cross_validated_targets(table, run.plan)),
        missing=tuple(missing),
        **circumstances(run, time.monotonic() - started),
    )


if __name__ == "__main__":
    request = asked("CoIL 2000: Keepgrow's trainer against tuned boosting libraries")
    write(measure(request), request.out)
