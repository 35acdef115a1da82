from __future__ import annotations

import string
import subprocess
import sys
from pathlib import Path

from feature_repo.pipeline.derived import DERIVED
from feature_repo.pipeline.expressions import LOST
from feature_repo.pipeline.reference import reference_page
from feature_repo.pipeline.views import VIEWS, read_views

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "features.md"


def test_names_are_unique_and_at_most_a_hundred_and_twenty() -> None:
    """There are 50 to 120 features, no two of one name, in the order of views that others rely on."""
    names = [feature.name for view in VIEWS for feature in view.features]
    assert len(names) == len(set(names))
    assert 50 <= len(names) <= 120
    assert [view.name for view in VIEWS] == [
        "usage",
        "adoption",
        "sentiment",
        "commercial",
        "engagement",
        "profile",
        "health",
        "peers",
    ]


def test_every_model_feature_has_a_sentence_with_one_known_placeholder() -> None:
    """What a model reads can be explained in words."""
    for view in VIEWS:
        for feature in view.features:
            fields = [name for _, name, _, _ in string.Formatter().parse(feature.text) if name]
            if feature.role == "model":
                assert len(fields) == 1, feature.name
            assert set(fields) <= {"value", "percent", "change", "money", "days"}, feature.name


def test_lost_features_exist() -> None:
    """The features said to be lost without a table are features of that view."""
    for view in VIEWS:
        names = {feature.name for feature in view.features}
        assert all(set(features) <= names for features in LOST[view.name].values())


def test_a_view_made_from_others_names_their_tables_and_stands_after_them() -> None:
    """What changes a view that is read changes the reader too: its tables are the reader's, and it is built first."""
    order = [view.name for view in VIEWS]
    made_from_others = [view for view in VIEWS if view.views]
    assert {view.name for view in made_from_others} == set(DERIVED)
    for view in made_from_others:
        assert tuple(DERIVED[view.name].needs) == view.views
        for behind in read_views(view):
            assert set(behind.tables) <= set(view.tables)
            assert order.index(behind.name) < order.index(view.name)
    peers = next(view for view in VIEWS if view.name == "peers")
    assert {view.name for view in read_views(peers)} == set(order) - {"peers"}


def test_what_is_needed_of_other_views_exists() -> None:
    """Every feature that a view reads of another is one of that view."""
    features = {view.name: {feature.name for feature in view.features} for view in VIEWS}
    for derived in DERIVED.values():
        for name, needed in derived.needs.items():
            assert set(needed) <= features[name]


def test_specs_import_without_feast_or_ibis() -> None:
    """The specs load without the slow libraries, since serving and the command line's help read them."""
    code = (
        "import sys, feature_repo.pipeline.views; print(bool({'feast', 'ibis', 'duckdb'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


def test_the_reference_page_is_current() -> None:
    """`docs/reference/features.md` is what the code says."""
    assert PAGE.read_text(encoding="utf-8") == reference_page()
