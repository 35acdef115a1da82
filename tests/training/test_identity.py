"""Whatever a bundle depends on changes a digest, and nothing else does."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest

from serving.bundle.manifest import Encoding
from tests.training import toy, toy_outlook
from training.definitions import Definitions
from training.heads.uplift.shrinkage import Prior
from training.identity import configuration_hash, data_hash, run_key, value_hash
from training.settings import TrainingSettings

ROWS = toy.world(accounts=20)
SOURCES = toy_outlook.sources(ROWS, draws=50)
SETTINGS = TrainingSettings()


def changed(array):
    """Return a copy of *array* with one value changed."""
    copy = array.copy()
    copy[0] = "other" if array.dtype == object else copy[0] + 1
    return copy


def rows_with(**labels):
    """Return the rows with changed labels."""
    return dataclasses.replace(ROWS, labels=dataclasses.replace(ROWS.labels, **labels))


def draws_with(**changes):
    """Return the sources with changed draws."""
    return dataclasses.replace(SOURCES, treatments=dataclasses.replace(SOURCES.treatments, **changes))


def levels_with(**changes):
    """Return the sources with changed health levels."""
    return dataclasses.replace(SOURCES, levels=dataclasses.replace(SOURCES.levels, **changes))


def other_days(days):
    """Return *days* with those of churn changed."""
    return {**days, "churn": changed(days["churn"])}


LABELS, DRAWS, LEVELS = ROWS.labels, SOURCES.treatments, SOURCES.levels
OTHER_ROWS = {
    "features": dataclasses.replace(ROWS, matrix=changed(ROWS.matrix)),
    "accounts": rows_with(account_id=changed(LABELS.account_id)),
    "cutoffs": rows_with(cutoff=changed(LABELS.cutoff)),
    "events": rows_with(event_days=other_days(LABELS.event_days)),
    "observed": rows_with(observed_days=other_days(LABELS.observed_days)),
    "withheld": rows_with(withheld_accounts=3),
    "horizons": rows_with(horizons_days=(30, 60, 91)),
    "categories": dataclasses.replace(
        ROWS, encodings=(Encoding(feature="plan", categories=("a", "c", "b")),)
    ),
    "contract": dataclasses.replace(
        ROWS, contract=toy.contract(("risk", "want", "noise", "plan", "never_filled"))
    ),
    "featureless": dataclasses.replace(ROWS, featureless_rows=1),
}
OTHER_SOURCES = {
    "amounts": dataclasses.replace(SOURCES, log_ratios=np.where(np.isnan(SOURCES.log_ratios), 0.1, SOURCES.log_ratios)),
    "health": levels_with(level=changed(LEVELS.level)),
    "health days": levels_with(day=changed(LEVELS.day)),
    "health accounts": levels_with(account_id=changed(LEVELS.account_id)),
    "no health": dataclasses.replace(SOURCES, levels=None),
    "arms": draws_with(
        arm=np.where(np.arange(len(DRAWS)) == 0, np.where(DRAWS.arm == 0, DRAWS.propensities.argmax(1), 0), DRAWS.arm)
    ),
    "propensities": draws_with(propensities=DRAWS.propensities * 0.5 + 0.5 / 3),
    "outcomes": draws_with(outcomes={**DRAWS.outcomes, "retained": 1 - DRAWS.outcomes["retained"]}),
    "times of draws": draws_with(treated_at=changed(DRAWS.treated_at)),
    "accounts of draws": draws_with(account_id=changed(DRAWS.account_id)),
    "actions": draws_with(actions=(DRAWS.actions[1], DRAWS.actions[0])),
    "outcome window": draws_with(outcome_days=60),
    "no draws": dataclasses.replace(SOURCES, treatments=None, draws=None),
    "features of draws": dataclasses.replace(SOURCES, draws=changed(SOURCES.draws)),
    "draws left out": dataclasses.replace(SOURCES, facts={"left_out_draws": {"open": 4}}),
}  # fmt: skip


@pytest.mark.parametrize("rows", OTHER_ROWS.values(), ids=OTHER_ROWS.keys())
def test_all_of_the_training_set_is_in_the_data_hash(rows):
    """Each part of features and labels changes it."""
    assert rows.hash != ROWS.hash
    assert data_hash(rows, SOURCES) != data_hash(ROWS, SOURCES)


@pytest.mark.parametrize("sources", OTHER_SOURCES.values(), ids=OTHER_SOURCES.keys())
def test_all_that_the_outlook_is_learnt_from_is_in_the_data_hash(sources):
    """Amounts, health levels, draws and features of draws change it, and so does having none of them."""
    assert data_hash(ROWS, sources) != data_hash(ROWS, SOURCES)
    assert data_hash(ROWS, None) == ROWS.hash


def test_equal_data_has_an_equal_hash():
    """Data that was made again has the same hash, and priors are no data."""
    again = toy.world(accounts=20)
    assert data_hash(again, toy_outlook.sources(again, draws=50)) == data_hash(ROWS, SOURCES)
    assert data_hash(ROWS, dataclasses.replace(SOURCES, priors={})) == data_hash(ROWS, SOURCES)


def configured(definitions=toy.DEFINITIONS, settings=SETTINGS, priors=SOURCES.priors):
    """Return the hash of a configuration."""
    return configuration_hash(definitions, settings, dataclasses.replace(SOURCES, priors=priors))


@pytest.mark.parametrize("name", sorted(set(TrainingSettings.model_fields) - {"num_threads"}))
def test_every_setting_but_threads_is_in_the_configuration_hash(name):
    """Another value of a setting changes it; another number of threads does not."""
    assert configured(settings=SETTINGS.model_copy(update={name: 99})) != configured()
    assert configured(settings=SETTINGS.model_copy(update={"num_threads": 2})) == configured()


def test_definitions_and_priors_are_in_the_configuration_hash():
    """Another definition or another prior changes it; the order in which priors are given does not."""
    values = toy.DEFINITIONS.model_dump()
    values["model"]["stages"][0]["num_leaves"] = 3
    assert configured(definitions=Definitions.model_validate(values)) != configured()
    (key, prior), *_ = SOURCES.priors.items()
    for other in (
        Prior(prior.mean + 0.01, prior.sd, prior.scale),
        Prior(prior.mean, prior.sd + 0.01, prior.scale),
        Prior(prior.mean, prior.sd, "absolute"),
    ):
        assert configured(priors={**SOURCES.priors, key: other}) != configured()
    assert configured(priors={}) != configured()
    assert configured(priors=dict(reversed(SOURCES.priors.items()))) == configured()


def keyed(**changes):
    """Return the key of a training with *changes*."""
    given = {
        "rows": ROWS, "sources": SOURCES, "split": toy.SPLIT, "definitions": toy.DEFINITIONS,
        "settings": SETTINGS, "seed": 5, "code": "1",
    } | changes  # fmt: skip
    return run_key(**given)


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": OTHER_ROWS["features"]},
        {"sources": OTHER_SOURCES["arms"]},
        {"sources": dataclasses.replace(SOURCES, priors={})},
        {"split": dataclasses.replace(toy.SPLIT, embargo_days=1)},
        {"definitions": toy.DEFINITIONS.model_copy(update={"score_horizon_days": 60})},
        {"settings": SETTINGS.model_copy(update={"uplift_bags": 5})},
        {"seed": 6},
        {"code": "2"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_stages_are_kept_under_all_that_they_depend_on(changes):
    """Data, cutoffs, configuration, seed and code change the key; all of them equal, it is equal."""
    assert keyed(**changes) != keyed()
    assert keyed() == keyed(rows=toy.world(accounts=20))


def test_values_that_look_alike_have_other_digests():
    """Kinds, shapes, bits and borders between parts count; order counts where there is one."""
    alike = [
        1, 1.0, True, "1", None, (1,), [[1]], {1: 1}, dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        np.array([1]), np.array([1.0]), np.array([[1]]), np.array([-0.0]), np.array([0.0]), np.array([np.nan]),
        np.array(["ab", "c"], dtype=object), np.array(["a", "bc"], dtype=object), np.array(["a", None], dtype=object),
        ("ab", "c"), ("a", "bc"), {1, 2},
    ]  # fmt: skip
    assert len({value_hash(one) for one in alike}) == len(alike)
    assert value_hash({"a": 1, "b": 2}) == value_hash({"b": 2, "a": 1})
    assert value_hash(1, 2) != value_hash(2, 1)


def test_a_value_of_an_unknown_kind_is_refused():
    """What has no digest is an error, since it would be left out unseen."""
    with pytest.raises(TypeError, match="a object has no digest"):
        value_hash({"a": object()})
