"""The trees of a model that ask about the arm; all others say the same of both arms, and cancel in an effect."""

from __future__ import annotations

import lightgbm as lgb

_BEGIN = "Tree="
_END = "end of trees"
_SPLITS = "split_feature="
_SIZES = "tree_sizes="


def arm_trees(booster: lgb.Booster, features: int) -> lgb.Booster | None:
    """Return a copy of *booster* that holds only its trees with a split on the arm; None if there are none.

    Args:
        booster: A model of the outcome by features and arm.
        features: How many features stand before the columns that tell the arm.
    """
    # In LightGBM's text, `tree_sizes` has the bytes of each tree from its `Tree=` to the next.
    header, *trees = booster.model_to_string().split(f"\n{_BEGIN}")
    trees[-1], _, footer = trees[-1].partition(_END)
    trees[:-1] = [f"{tree}\n" for tree in trees[:-1]]
    kept: list[str] = []
    for tree in trees:
        if _asks(tree, features):
            _, _, body = tree.partition("\n")
            kept.append(f"{_BEGIN}{len(kept)}\n{body}")
    if not kept:
        return None
    sizes = _SIZES + " ".join(str(len(tree.encode())) for tree in kept)
    lines = [sizes if line.startswith(_SIZES) else line for line in header.split("\n")]
    return lgb.Booster(model_str="\n".join(lines) + "\n" + "".join(kept) + _END + footer)


def _asks(tree: str, features: int) -> bool:
    """Return whether a split of *tree* is on a column from *features* on."""
    for line in tree.splitlines():
        if line.startswith(_SPLITS):
            return any(int(column) >= features for column in line.removeprefix(_SPLITS).split())
    return False
