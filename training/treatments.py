"""Logged treatments: which action was drawn for an account, with which chance, and what came of it.

A row of the raw table `treatments` is one draw: an action was proposed, and chance decided whether it was taken or
held out. Learners of uplift and estimators of policy value both read the same value, `LoggedTreatments`, in which
arm 0 is doing nothing and arm k is the k-th action. A trial that draws among several actions at once fits in too.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from feature_repo.tables import reading
from training.dataset import historical_features
from training.definitions import ChurnDefinition
from training.departed import had_left
from training.errors import DatasetError
from training.labels import Labels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ibis.expr.types import Table
    from numpy.typing import NDArray

    from feature_repo.contract import FeatureContract

Outcome: TypeAlias = Literal["retained", "expanded", "returned"]
OUTCOMES: tuple[Outcome, ...] = ("retained", "expanded")
"""Of accounts that had not left when an arm was drawn."""
RETURNED: Final = "returned"
"""Of accounts that had left when an arm was drawn: whether they came back. No draw has this and one of the others."""
OUTCOME_DAYS = 90

MIN_CHANCE = 0.02
"""A draw whose rarer arm had a smaller chance teaches next to nothing and weighs more than fifty others: left out."""

_COLUMNS = ("account_id", "treated_at", "action", "arm", "propensity", "outcome_at", "outcome_retained",
            "outcome_expanded")  # fmt: skip
_EARLY = pd.Timedelta(days=1)
"""Outcomes are dated at a day's end: so much earlier or later counts as on time."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many rows of the table were left out, and why.

    Attributes:
        withheld: Their accounts do not consent to training.
        deterministic: An arm had a chance below `MIN_CHANCE`, so that there is nothing to compare with.
        open: Their outcome window had not passed when the data ended.
        lost: The window had passed, yet no outcome of it is in the table; by arm, `treated` and `held_out`. A share
            that differs much between the arms makes effects doubtful.
    """

    withheld: int = 0
    deterministic: int = 0
    open: int = 0
    lost: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class LoggedTreatments:
    """n draws with known propensities among K actions and doing nothing, in the order of time.

    Attributes:
        account_id: Shape (n,), object.
        treated_at: Shape (n,), `datetime64[us]`, UTC: when the arm was drawn.
        actions: The K actions; action k is arm k + 1.
        arm: Shape (n,), 0 to K: the arm that was drawn.
        propensities: Shape (n, K + 1): the chance of each arm, 0 where it could not be drawn; rows sum to 1.
        outcomes: Per outcome, shape (n,): its value in the window after the draw, NaN where it is not known or where
            the draw is not about it; `returned` is there only if some accounts had left when their arm was drawn.
        outcome_days: Length of that window.
    """

    account_id: NDArray[np.object_]
    treated_at: NDArray[np.datetime64]
    actions: tuple[str, ...]
    arm: NDArray[np.intp]
    propensities: NDArray[np.float64]
    outcomes: dict[str, NDArray[np.float64]]
    outcome_days: int = OUTCOME_DAYS

    def __len__(self) -> int:
        return len(self.account_id)

    def __post_init__(self) -> None:
        if self.propensities.shape != (len(self), len(self.actions) + 1):
            raise DatasetError(
                f"propensities have shape {self.propensities.shape}; "
                f"{len(self)} draws among {len(self.actions)} actions need {(len(self), len(self.actions) + 1)}"
            )
        drawn = self.propensities[np.arange(len(self)), self.arm]
        if len(self) and (drawn.min() <= 0 or not np.allclose(self.propensities.sum(axis=1), 1.0)):
            raise DatasetError("every drawn arm needs a propensity above 0, and those of a row must sum to 1")

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> LoggedTreatments:
        """Return the draws of *rows* (a mask or positions)."""
        return replace(
            self,
            account_id=self.account_id[rows],
            treated_at=self.treated_at[rows],
            arm=self.arm[rows],
            propensities=self.propensities[rows],
            outcomes={name: values[rows] for name, values in self.outcomes.items()},
        )

    def about(self, outcome: str) -> tuple[LoggedTreatments, NDArray[np.intp]]:
        """Return the draws that can teach *outcome*, among the actions that they could come to, and their positions.

        Draws of accounts that had left teach `returned` and nothing else; without any, every draw teaches the others.
        """
        alone = replace(self, outcomes={outcome: self.outcomes[outcome]})
        if RETURNED not in self.outcomes:
            return alone, np.arange(len(self))
        rows = np.flatnonzero(np.isfinite(self.outcomes[RETURNED]) == (outcome == RETURNED))
        return alone.select(rows).among_drawn(), rows

    def among_drawn(self) -> LoggedTreatments:
        """Return the same draws without actions that none of them could have come to."""
        kept = np.flatnonzero((self.propensities[:, 1:] > 0).any(axis=0))
        place = np.zeros(len(self.actions) + 1, dtype=np.intp)
        place[kept + 1] = np.arange(1, len(kept) + 1)
        return replace(
            self,
            actions=tuple(self.actions[action] for action in kept),
            arm=place[self.arm],
            propensities=self.propensities[:, np.concatenate([[0], kept + 1])],
        )

    def comparable(self, action: int) -> NDArray[np.intp]:
        """Return positions of the draws of *action* (0 to K - 1) or nothing, in which either could have come."""
        possible = (self.propensities[:, 0] > 0) & (self.propensities[:, action + 1] > 0)
        return np.flatnonzero(possible & ((self.arm == 0) | (self.arm == action + 1)))

    def chance(self, action: int) -> NDArray[np.float64]:
        """Return the chance of *action* given that it or nothing was drawn, shape (n,); NaN where neither could be."""
        nothing, taken = self.propensities[:, 0], self.propensities[:, action + 1]
        both = nothing + taken
        return np.asarray(
            np.divide(taken, both, out=np.full(len(self), np.nan), where=both > 0), dtype=np.float64
        )

    def known_by(self, moment: np.datetime64) -> NDArray[np.bool_]:
        """Return which draws have their whole outcome window before *moment*; it does not depend on the outcome."""
        return np.asarray(self.treated_at + np.timedelta64(self.outcome_days, "D") <= moment, dtype=np.bool_)


def read_treatments(
    folder: Path,
    *,
    outcome_days: int = OUTCOME_DAYS,
    known_by: dt.date | None = None,
    grace_days: int = ChurnDefinition().grace_days,
) -> tuple[LoggedTreatments, LeftOut] | None:
    """Read the treatments of a data folder whose outcomes are known, in the order of time.

    Censoring: a draw counts only if its whole window had passed by *known_by*, whatever came of it; to keep early
    leavers of an open window would make every action look harmful. Within a passed window leaving is final, so an
    outcome that was written down early counts if the account had left or expanded, and is lost if it had not. Of an
    account that had left before the draw, coming back is what counts early.

    Args:
        folder: A data folder.
        outcome_days: Length of the outcome window in days.
        known_by: First day of which nothing is known; the day after the data's end if None.
        grace_days: Days without a paid subscription after which an account has left.

    Returns:
        The draws and what was left out, or None if the folder has no table `treatments`.

    Raises:
        DataFolderError: A file can't be read as the raw-table contract asks.
    """
    con = reading.connect()
    table = reading.scan(con, folder, "treatments")
    if table is None:
        return None
    accounts = reading.scan(con, folder, "accounts")
    refused = (
        set()
        if accounts is None
        else set(
            accounts.filter(~accounts.consent_training.fill_null(True))
            .select("account_id")
            .to_pyarrow()["account_id"]
            .to_pylist()
        )
    )
    frame = table.order_by(["treated_at", "treatment_id"]).select(*_COLUMNS).to_pyarrow().to_pandas()
    end = known_by or reading.end_day(con, folder) + dt.timedelta(days=1)
    return from_frame(
        frame,
        refused,
        outcome_days=outcome_days,
        known_by=end,
        left=_left(reading.scan(con, folder, "subscriptions"), frame, grace_days),
    )


def _left(subscriptions: Table | None, frame: pd.DataFrame, grace_days: int) -> NDArray[np.bool_] | None:
    """Return which draws of *frame* are of accounts that had left; None if nothing is known of subscriptions."""
    if subscriptions is None:
        return None
    columns = ("account_id", "started_at", "ended_at", "is_trial")
    return had_left(
        frame["account_id"].to_numpy(dtype=object),
        pd.to_datetime(frame["treated_at"], utc=True),
        subscriptions.select(*columns).to_pyarrow().to_pandas(),
        grace_days=grace_days,
    )


def from_frame(
    frame: pd.DataFrame,
    refused: set[str],
    *,
    outcome_days: int,
    known_by: dt.date,
    left: NDArray[np.bool_] | None = None,
) -> tuple[LoggedTreatments, LeftOut]:
    """Turn rows of the table `treatments` into draws; see `read_treatments`.

    Args:
        frame: Columns of the raw-table contract, `treated_at` with a time zone.
        refused: Accounts that may not be trained on.
        outcome_days: Length of the outcome window in days.
        known_by: First day of which nothing is known.
        left: Shape (rows,), whether the account had left when its arm was drawn; None: none had.
    """
    moment = pd.to_datetime(frame["treated_at"], utc=True)
    window = pd.Timedelta(days=outcome_days)
    withheld = frame["account_id"].isin(refused).to_numpy(dtype=bool)
    treated = (frame["arm"] == "treated").to_numpy(dtype=bool)
    drawn = frame["propensity"].to_numpy(dtype=np.float64)
    chance = np.where(treated, drawn, 1.0 - drawn)
    certain = ~withheld & (np.minimum(chance, 1.0 - chance) < MIN_CHANCE)
    passed = (moment + window + _EARLY <= pd.Timestamp(known_by, tz="UTC")).to_numpy(dtype=bool)
    usable = ~withheld & ~certain & passed
    seen = pd.to_datetime(frame["outcome_at"], utc=True)
    complete = (seen.isna() | (seen >= moment + window - _EARLY)).to_numpy(dtype=bool)
    outcomes = {
        "retained": _final(frame["outcome_retained"], complete, event=0.0),
        "expanded": _final(frame["outcome_expanded"], complete, event=1.0),
    }
    if left is not None and (left & usable).any():
        back = _final(frame["outcome_retained"], complete, event=1.0)
        outcomes = {name: np.where(left, np.nan, values) for name, values in outcomes.items()}
        outcomes[RETURNED] = np.where(left, back, np.nan)
    known = np.any([np.isfinite(values) for values in outcomes.values()], axis=0)
    lost = usable & ~known
    left_out = LeftOut(
        withheld=int(withheld.sum()),
        deterministic=int(certain.sum()),
        open=int((~withheld & ~certain & ~passed).sum()),
        lost={"treated": int((lost & treated).sum()), "held_out": int((lost & ~treated).sum())},
    )
    rows = usable & known
    actions = tuple(sorted(frame.loc[rows, "action"].astype(str).unique()))
    index = frame.loc[rows, "action"].map({name: k for k, name in enumerate(actions)}).to_numpy(dtype=np.intp)
    propensities = np.zeros((int(rows.sum()), len(actions) + 1))
    propensities[:, 0] = 1.0 - chance[rows]
    propensities[np.arange(len(propensities)), index + 1] = chance[rows]
    return (
        LoggedTreatments(
            account_id=frame.loc[rows, "account_id"].to_numpy(dtype=object),
            treated_at=moment[rows].dt.tz_localize(None).to_numpy().astype("datetime64[us]"),
            actions=actions,
            arm=np.where(treated[rows], index + 1, 0).astype(np.intp),
            propensities=propensities,
            outcomes={name: values[rows] for name, values in outcomes.items()},
            outcome_days=outcome_days,
        ),
        left_out,
    )


def historical_treatment_features(
    store: Any,  # noqa: ANN401 - Feast brings no types
    treatments: LoggedTreatments,
    contract: FeatureContract,
) -> pd.DataFrame:
    """Return the model features as known at 00:00 UTC of the day of each draw, a row a draw, from the offline store.

    What happened on the day itself, before the draw or after it, is not seen.

    Args:
        store: A Feast store with the contract's feature service applied.
        treatments: The draws; an account may have several on one day.
        contract: Names the service and its model features.

    Raises:
        DatasetError: Feast gives other rows than were asked for.
    """
    asked = pd.DataFrame(
        {"account": treatments.account_id.astype(str), "day": treatments.treated_at.astype("datetime64[D]")}
    )
    unique = asked.drop_duplicates().reset_index(drop=True)
    labels = Labels(
        account_id=unique["account"].to_numpy(dtype=object),
        cutoff=unique["day"].to_numpy().astype("datetime64[D]"),
        event_days={},
        observed_days={},
        horizons_days=(),
        withheld_accounts=0,
    )
    frame = historical_features(store, labels, contract)
    position = pd.MultiIndex.from_frame(unique).get_indexer(pd.MultiIndex.from_frame(asked))
    return frame.iloc[position].reset_index(drop=True)


def trial(
    account_id: Sequence[str],
    actions: Sequence[str],
    arm: NDArray[np.intp],
    propensities: NDArray[np.float64],
    outcomes: dict[str, NDArray[np.float64]],
) -> LoggedTreatments:
    """Return the draws of one randomised trial, all made at the same time.

    Args:
        account_id: n accounts.
        actions: K actions.
        arm: Shape (n,), 0 for nothing, k + 1 for action k.
        propensities: Shape (n, K + 1).
        outcomes: Shape (n,) each.
    """
    return LoggedTreatments(
        account_id=np.asarray(account_id, dtype=object),
        treated_at=np.full(len(arm), np.datetime64(0, "us")),
        actions=tuple(actions),
        arm=arm,
        propensities=propensities,
        outcomes=outcomes,
    )


def _final(column: pd.Series[Any], complete: NDArray[np.bool_], *, event: float) -> NDArray[np.float64]:
    """Return the outcome as 0 or 1, NaN where it is null, or was seen too early and may still change."""
    values = column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(np.where(complete | (values == event), values, np.nan), dtype=np.float64)
