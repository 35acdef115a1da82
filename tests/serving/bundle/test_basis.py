"""Bundles of before `blend` was a word: what their effects rest on is told by the weight of their draws."""

from __future__ import annotations

import json

import pytest

from serving.bundle.basis import with_bases_told
from serving.bundle.loader import read_manifest
from serving.bundle.manifest import MANIFEST_FILE
from tests.training import rivals
from tests.training.test_gates_outlook import with_outlook

MEASURED = {"mean": 0.03, "standard_error": 0.02}
TREES = {"raw": 0.9, "standard_error": 0.2, "used": 0.8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a bundle with effects."""
    store = tmp_path_factory.mktemp("old") / "models"
    name, _, version = rivals.save(with_outlook(rivals.RIGHT), store).partition(":")
    return store / name / version


def told(folder, weights):
    """Return the bases that an old manifest is read with, by (action, outcome), given each one's *weights*."""
    raw = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    outcomes: dict[str, dict[str, dict[str, object]]] = {}
    for column in raw["effects"]["columns"]:
        column["basis"] = "prior" if column["draws"] == 0 else "uplift"
        weight, slope = weights
        shipped = {"measured": MEASURED, "weight_of_draws": weight, "slope": slope}
        actions = outcomes.setdefault(column["outcome"], {"actions": {}})["actions"]
        actions[column["action"]] = {"shipped": shipped}
    raw["metrics"]["uplift"] = {"outcomes": outcomes}
    (folder / MANIFEST_FILE).write_text(json.dumps(raw), encoding="utf-8")
    return {(one.action, one.outcome): one.basis for one in read_manifest(folder).effects.columns}


@pytest.mark.parametrize(
    ("weights", "basis"),
    [((0.07, None), "blend"), ((0.5, None), "uplift"), ((0.07, TREES), "uplift")],
    ids=["few draws", "draws weigh half", "trees came true"],
)
def test_an_effect_that_rests_on_its_prior_is_read_as_a_blend(folder, weights, basis):
    """Draws of a small weight make `uplift` a `blend`; half the weight, or trees that came true, leave it."""
    found = told(folder, weights)
    assert set(found.values()) == {basis, "prior"}
    assert found["schedule_success_call", "retained"] == "prior"


def test_what_the_report_does_not_tell_stays_as_it_is(folder):
    """Without a report of its draws an effect keeps its basis, and nothing is made anew."""
    told(folder, (0.07, None))
    manifest = read_manifest(folder)
    bare = manifest.model_copy(update={"metrics": {}})
    assert with_bases_told(bare) is bare
    assert with_bases_told(manifest) is manifest
    assert with_bases_told(manifest.model_copy(update={"effects": None})).effects is None
