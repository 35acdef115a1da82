"""A catalogue says what it means, or is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from serving.decisions.catalogue import ACTION_TYPES, Catalogue, load_catalogue, parse_catalogue
from serving.errors import CatalogueError
from tests.serving.decisions.frames import action, catalogue, document, upgrade
from training.synthetic.plans import PLANS

if TYPE_CHECKING:
    from pathlib import Path


def faulty(**changes: Any) -> str:
    """Return catalogue text with *changes* to the document."""
    return yaml.safe_dump({**document(), **changes})


def plan(key: str = "team", rank: int = 1) -> dict[str, Any]:
    """Return a plan."""
    return {"key": key, "name": key, "rank": rank, "mrr_list": 1, "price_per_seat": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("plans: [", "not YAML"),
        ("just words", "catalogue"),
        ("", "catalogue"),
        (faulty(currency="dollars"), "currency"),
        (faulty(margin=float("nan")), "margin"),
        (faulty(margin=1.5), "margin"),
        (faulty(version=2), "version"),
        (faulty(discounts=[]), "discounts"),
        (faulty(plans=[]), "plans"),
        (faulty(plans=[plan(), plan(rank=2)]), "plan key 'team' is given twice"),
        (faulty(plans=[plan(), plan("business")]), "plans tie on rank 1"),
        (faulty(actions=[action(), action()]), "action key 'guide' is given twice"),
        (
            faulty(actions=[action(requires={"plans": ["gold"]})]),
            "requires plan 'gold', which is not in the catalogue",
        ),
        (faulty(actions=[action(type="send_flowers")]), "actions.0.type"),
        (faulty(actions=[action(cost=-1)]), "actions.0.cost"),
        (faulty(actions=[action(priors={"expand": {"mean": 0.1, "sd": 0.1}})]), "no extra_mrr"),
        (faulty(actions=[upgrade(extra_mrr={"rule": "seats"})]), "needs a share above 0"),
        (faulty(actions=[action(requires={"all": [{"feature": "seats"}]})]), "needs at_least or at_most"),
        (
            faulty(actions=[action(requires={"all": [{"feature": "seats", "at_least": 2, "at_most": 1}]})]),
            "can't hold",
        ),
    ],
)
def test_a_contradiction_is_refused_by_name(text: str, says: str) -> None:
    """Every fault is named with the file and its place."""
    with pytest.raises(CatalogueError, match=r"plans\.yaml: ") as caught:
        parse_catalogue(text, "plans.yaml")
    assert says in str(caught.value)


def test_the_packaged_catalogue_is_valid_and_knows_only_the_ten_types() -> None:
    """The default can be loaded, and its actions are of the fixed types."""
    packaged = load_catalogue()
    assert len(ACTION_TYPES) == 10
    assert {one.type for one in packaged.actions} <= set(ACTION_TYPES)
    assert [one.key for one in packaged.plans] == ["starter", "team", "business", "enterprise"]


def test_the_packaged_plans_are_those_of_the_synthetic_world() -> None:
    """Prices, seats and limits agree with what the simulation sells."""
    packaged = load_catalogue()
    for ours, theirs in zip(packaged.plans, PLANS, strict=True):
        assert (ours.key, ours.mrr_list, ours.price_per_seat, ours.seats_included, ours.seats_max) == (
            theirs.key, theirs.mrr_list, theirs.price_per_seat, theirs.seats_included, theirs.seats_max,
        )  # fmt: skip
        assert ours.api_calls_limit_per_month == theirs.api_calls_limit_per_month
        assert ours.storage_limit_gb == theirs.storage_limit_gb


def test_a_catalogue_of_plans_alone_gets_the_packaged_actions() -> None:
    """Actions may be left out, in the packaged currency only, since their costs are in it."""
    plans = {key: value for key, value in document().items() if key != "actions"}
    assert parse_catalogue(yaml.safe_dump(plans), "plans.yaml").actions == load_catalogue().actions
    with pytest.raises(CatalogueError, match="costs in USD, not in 'EUR'"):
        parse_catalogue(yaml.safe_dump({**plans, "currency": "EUR"}), "plans.yaml")


def test_a_file_with_a_byte_order_mark_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    """What an editor puts before the text does not matter; a missing file does."""
    path = tmp_path / "plans.yaml"
    path.write_text(faulty(), encoding="utf-8-sig")
    assert load_catalogue(path) == catalogue()
    with pytest.raises(CatalogueError, match=r"none\.yaml"):
        load_catalogue(tmp_path / "none.yaml")


def test_the_hash_is_of_the_content_and_not_of_its_order() -> None:
    """Equal catalogues in another order have one hash; a changed cost has another."""
    one = catalogue(action(), upgrade())
    other = catalogue(upgrade(), action())
    assert one.hash == other.hash
    assert catalogue(action(cost=3.0), upgrade()).hash != one.hash


def test_list_price_counts_only_seats_beyond_those_included() -> None:
    """A plan's price is its base and its further seats."""
    team: Catalogue = catalogue()
    assert team.plans_by_key["team"].list_mrr(4) == 100
    assert team.plans_by_key["team"].list_mrr(12) == 120
    assert team.next_plan("team") is team.plans_by_key["business"]
    assert team.next_plan("business") is None
