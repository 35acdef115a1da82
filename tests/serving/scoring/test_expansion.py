"""Who is ready to expand, and what drives it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.scoring.engine import Asked, driver_of, score_rows, scoring_tables
from serving.scoring.expansion import SMALLEST_FALL, ExpansionLine, expansion_driver
from serving.scoring.result import AccountScore
from serving.scoring.signals import make_signal_tables
from serving.scoring.written import write
from tests.serving.scoring.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.bundle.loader import Bundle
    from serving.features.rows import FeatureRows

    Rows = Callable[..., FeatureRows]


def scores_of(rows: FeatureRows, bundle: Bundle) -> list[AccountScore]:
    """Return the scores of accounts that are all known."""
    return [score for score in score_rows(rows, bundle, NOW) if isinstance(score, AccountScore)]


def test_ready_is_at_or_over_the_threshold_on_full_evidence(bundle: Bundle, make_rows: Rows) -> None:
    """As values and as written bytes: the flag follows the shown probability, and thin evidence is never ready."""
    rows = make_rows(300)
    threshold = bundle.manifest.head("upsell").thresholds["90d"]
    scores = scores_of(rows, bundle)
    for score in scores:
        over = score.upsell_probability["90d"] >= threshold
        assert score.expansion_ready is (over and score.evidence.status == "full")
    told = {(score.expansion_ready, score.evidence.status) for score in scores}
    assert {(True, "full"), (False, "full"), (False, "thin")} <= told
    assert any(
        score.upsell_probability["90d"] >= threshold and score.evidence.status == "thin" for score in scores
    )
    asked = Asked.of(rows)
    written = write(asked, bundle.run_explained(asked.matrix), bundle, NOW)
    assert [one["expansion_ready"] for one in json.loads(b"[" + written.scores + b"]")] == [
        score.expansion_ready for score in scores
    ]


def test_a_bundle_without_a_threshold_does_not_tell(bundle: Bundle, make_rows: Rows) -> None:
    """Null stands where nobody chose from where on an account is ready, and nothing drives it."""
    heads = tuple(head.model_copy(update={"thresholds": {}}) for head in bundle.manifest.heads)
    silent = dataclasses.replace(bundle, manifest=bundle.manifest.model_copy(update={"heads": heads}))
    rows = make_rows(20)
    for index, score in enumerate(scores_of(rows, silent)):
        assert score.expansion_ready is None
        assert driver_of(score, silent, rows, index) is None
    assert ExpansionLine.of(silent.manifest) is None


def test_the_driver_is_the_signal_without_which_the_probability_falls_furthest(
    bundle: Bundle, make_rows: Rows
) -> None:
    """Removing it lowers the probability of expanding, and no other signal lowers it more; it says its own value."""
    rows, tables = make_rows(300), scoring_tables(bundle)
    features = bundle.manifest.contract.model_features
    found = 0
    for index, score in enumerate(scores_of(rows, bundle)):
        driver = driver_of(score, bundle, rows, index)
        if not score.expansion_ready:
            assert driver is None
            continue
        without = np.tile(rows.matrix[index], (len(tables.signals.members), 1))
        for place, columns in enumerate(tables.signals.members):
            without[place, list(columns)] = np.nan
        left = bundle.run(without, contributions=False).probabilities["upsell"][:, 2]
        falls = score.upsell_probability["90d"] - left
        if driver is None:
            assert falls.max() < SMALLEST_FALL + 1e-6
            continue
        found += 1
        names = [features[columns[0]].signal for columns in tables.signals.members]
        assert falls[names.index(driver.signal)] == pytest.approx(falls.max(), abs=1e-6)
        assert driver.text
        column = [feature.name for feature in features].index(driver.feature)
        if driver.feature != "plan" and driver.value is not None:
            assert float(driver.value) == pytest.approx(rows.matrix[index, column], rel=1e-5, abs=1e-6)
    assert found > 10


def test_a_limit_that_drives_goes_before_what_drives_more(bundle: Bundle, make_rows: Rows) -> None:
    """Where use of a limit raises the probability at all, the limit is named, though another signal raises it more."""
    rows, tables = make_rows(300), scoring_tables(bundle)
    features = [
        one.model_copy(update={"signal": "seat_limit"}) if one.name == "seats" else one
        for one in bundle.manifest.contract.model_features
    ]
    limited = make_signal_tables(features)
    ready = [index for index, score in enumerate(scores_of(rows, bundle)) if score.expansion_ready]
    changed = set()
    for index in ready:
        args = (tables.expansion, rows.matrix[index], rows.context[index])
        usual, first = (
            expansion_driver(bundle, tables.signals, *args),
            expansion_driver(bundle, limited, *args),
        )
        if first is not None and first.signal == "seat_limit":
            changed.add(usual is not None and usual.feature != "seats")
    assert True in changed
