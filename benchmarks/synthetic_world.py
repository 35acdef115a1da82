"""A synthetic world as training sees it: draws with features, declared priors, and chances of leaving."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from feature_repo.contract_compiler import compile_contract
from feature_repo.services import SERVICE_NAME
from feature_repo.settings import FeatureRepoSettings
from feature_repo.store import open_store
from feature_repo.tables.dataset import load_dataset_info
from training.dataset import assemble, historical_features
from training.definitions import load_definitions
from training.encoding import encode
from training.heads.train import train_head
from training.heads.uplift.declared import shared_prior
from training.heads.uplift.selection import TimeSplit, split_later
from training.labels import read_labels
from training.outlook_values import nearest_horizon
from training.splits import split_by_time
from training.synthetic.settings import WorldSettings
from training.train import usable_days
from training.treatments import historical_treatment_features, read_treatments
from training.uncertainty.fit import fit_halves

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from training.heads.uplift.shrinkage import Prior
    from training.treatments import LoggedTreatments

SEED: Final = 7
HELD_OUT_SHARE: Final = 0.3
CATALOGUE: Final = Path(__file__).resolve().parent.parent / "serving/decisions/catalogue/catalogue.yaml"
"""The packaged catalogue, as a file: what `keepgrow train` reads where no other is given."""


@dataclass(frozen=True, slots=True)
class SyntheticWorld:
    """A world whose features are built; n draws of known outcome, f features.

    Attributes:
        settings: What made it.
        treatments: The n draws.
        matrix: Shape (n, f), features as of each.
        churn: Shape (n,), chance of leaving within the outcome window, by heads that have not seen the account.
        split: Earlier and later draws.
    """

    settings: WorldSettings
    treatments: LoggedTreatments
    matrix: NDArray[np.float64]
    churn: NDArray[np.float64]
    split: TimeSplit

    @property
    def begin(self) -> np.datetime64:
        """When the first of the later draws was made."""
        moment: np.datetime64 = self.treatments.treated_at[self.split.held_out].min()
        return moment


def world_of(folder: Path) -> WorldSettings:
    """Return the settings that made the world of *folder*, from its name and last day.

    Raises:
        SystemExit: It was not made by `keepgrow synth`.
    """
    info = load_dataset_info(folder)
    match = re.fullmatch(r"synthetic-(\d+)x(\d+)-seed(\d+)", info.name)
    if not info.synthetic or match is None or info.end_day is None:
        sys.exit(f"{folder} was not made by `keepgrow synth`: only a simulation knows the truth")
    accounts, days, seed = map(int, match.groups())
    return WorldSettings(accounts=accounts, days=days, seed=seed, end=info.end_day)


def read_world(workspace: Path, progress: Callable[[str], None]) -> SyntheticWorld:
    """Return the world of *workspace*, a folder with `raw`, `features` and `registry.db` as `keepgrow up` makes it.

    Churn is said by heads of half the accounts each, trained as `keepgrow train` does it.

    Args:
        workspace: The folder.
        progress: Called with a sentence a step.

    Raises:
        SystemExit: It was not made by `keepgrow synth`, or has no treatments.
    """
    data = workspace / "raw"
    settings, read = world_of(data), read_treatments(data)
    if read is None:
        sys.exit(f"{data} has no treatments")
    store = open_store(
        FeatureRepoSettings(features_dir=workspace / "features", registry=str(workspace / "registry.db"))
    )
    treatments, _ = read
    contract = compile_contract(store, SERVICE_NAME)
    frame = historical_treatment_features(store, treatments, contract)
    known = ~frame.isna().all(axis=1).to_numpy(dtype=bool)
    frame, treatments = frame.loc[known].reset_index(drop=True), treatments.select(known)
    split = split_later(treatments, HELD_OUT_SHARE, SEED)
    definitions = load_definitions()
    cuts = split_by_time(*usable_days(data), definitions)
    progress(f"features of accounts at {len(cuts.cutoffs)} cutoffs")
    labels = read_labels(data, cuts.cutoffs, definitions)
    rows = assemble(historical_features(store, labels, contract), labels, contract, cuts.train.cutoffs)
    parts = rows.parts(cuts, definitions)
    names = [feature.name for feature in contract.model_features]
    fitting: dict[str, Any] = {"definitions": definitions, "feature_names": names, "seed": SEED}
    trained = train_head(
        "churn", parts.train.head_rows("churn"), parts.validation.head_rows("churn"), parts.refit.head_rows("churn"),
        num_threads=1, progress=progress, compare_calibrations=True, **fitting,
    )  # fmt: skip
    matrix = encode(frame, contract.model_features, rows.encodings)
    column = nearest_horizon(trained.head, treatments.outcome_days)
    churn = fit_halves(trained, parts, **fitting).unseen(treatments.account_id, matrix)[:, column]
    return SyntheticWorld(settings, treatments, matrix, churn, split)


def declared_priors(catalogue: Path = CATALOGUE) -> dict[tuple[str, str], Prior]:
    """Return the declared effects by (type of action, outcome), as `keepgrow train` reads them.

    Args:
        catalogue: A catalogue of actions (YAML).
    """
    lifts: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for action in yaml.safe_load(catalogue.read_text(encoding="utf-8"))["actions"]:
        for field, outcome in (("retain", "retained"), ("expand", "expanded")):
            one = action.get("priors", {}).get(field, {})
            lifts.setdefault((action["type"], outcome), []).append((one.get("mean", 0.0), one.get("sd", 0.0)))
    found = {
        key: shared_prior(pairs, "churn_probability" if key[1] == "retained" else "absolute")
        for key, pairs in lifts.items()
    }
    return {key: prior for key, prior in found.items() if prior is not None}
