"""Hillstrom's e-mail trial as draws with known propensities, and what our own training makes of one half of it.

64,000 customers, two e-mails and no e-mail by lot, a third each; outcomes are a visit and the money spent within two
weeks. `benchmarks.hillstrom` compares; `benchmarks.hillstrom_page` writes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from training.heads.uplift.grown import grow
from training.heads.uplift.settings import UpliftSettings
from training.heads.uplift.shrinkage import Prior
from training.heads.uplift.train import train_uplift
from training.outlook_effects import COMPARED
from training.treatments import LoggedTreatments, trial

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.heads.uplift.draws import Draws
    from training.heads.uplift.learners import LearnerName

ACTIONS: Final = ("Mens E-Mail", "Womens E-Mail")
OUTCOMES: Final = ("visit", "spend")
SHIPPED: Final = "ours, as shipped"
SETTINGS: Final = UpliftSettings()
ALONE: Final[tuple[LearnerName, ...]] = ("dr", "x", "t", "s")
_PRIOR_SD: Final = {"visit": 0.5, "spend": 50.0}
_REPORT_SAMPLES: Final = 40


def load(folder: Path) -> tuple[NDArray[np.float64], LoggedTreatments, NDArray[np.object_]]:
    """Return features of shape (64000, 12), the trial, and customer ids.

    Raises:
        SystemExit: The file is not there.
    """
    path = folder / "hillstrom" / "hillstrom.csv.gz"
    if not path.is_file():
        sys.exit(
            f"{path} is not there; --data or KEEPGROW_SHARED_DATA names the folder of the shared data sets"
        )
    frame = pd.read_csv(path)
    numbers = frame[["recency", "history", "mens", "womens", "newbie"]].astype(float)
    dummies = pd.get_dummies(frame[["zip_code", "channel"]]).astype(float)
    bands = frame["history_segment"].str.extract(r"^(\d)", expand=False).astype(float)
    matrix = pd.concat([numbers, dummies, bands], axis=1).to_numpy(dtype=np.float64)
    arm = (
        frame["segment"]
        .map({"No E-Mail": 0, ACTIONS[0]: 1, ACTIONS[1]: 2})
        .to_numpy(dtype=np.int64)
        .astype(np.intp)
    )
    customers = np.array([f"c{number:05d}" for number in range(len(frame))], dtype=object)
    draws = trial(
        customers.tolist(),
        ACTIONS,
        arm,
        np.full((len(frame), 3), 1 / 3),
        {name: frame[name].to_numpy(dtype=np.float64) for name in OUTCOMES},
    )
    return matrix, draws, customers


def shipped(
    treatments: LoggedTreatments,
    matrix: NDArray[np.float64],
    outcome: str,
    asked: NDArray[np.float64],
    seed: int,
) -> tuple[NDArray[np.float64], LearnerName]:
    """Return the effects that `train_uplift` would ship, shape (m, 2), and the learner that it chose.

    Args:
        treatments: n training draws.
        matrix: Shape (n, f).
        outcome: `visit` or `spend`.
        asked: Shape (m, f).
        seed: Seed of everything random.
    """
    heads, report = train_uplift(
        treatments,
        matrix,
        priors={(name, outcome): Prior(0.0, _PRIOR_SD[outcome]) for name in ACTIONS},
        outcomes=(outcome,),
        learners=COMPARED,
        samples=_REPORT_SAMPLES,
        settings=SETTINGS,
        seed=seed,
    )
    effects = np.column_stack([head.effects(asked)[0] for head in heads])
    return effects, report["outcomes"][outcome]["choice"]["learner"]


def not_shrunk(train: Draws, asked: NDArray[np.float64], seed: int) -> dict[str, NDArray[np.float64]]:
    """Return the effects of each of our learners by itself and as it is, shape (m, 2) each."""
    found = {}
    for name in ALONE:
        grown = grow(name, train, range(len(ACTIONS)), settings=SETTINGS, seed=seed)
        columns = [np.mean([bag.effect(asked) for bag in bags], axis=0) for bags in grown.values()]
        found[f"ours, {name.upper()} alone"] = np.column_stack(columns)
    return found
