"""The page that lies beside the truth files and says what they hold."""

# ruff: noqa: E501 - the page is Markdown, whose tables and paragraphs are not wrapped at this width

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.synthetic.settings import WorldSettings

_PAGE = """# The truth of this synthetic world

This data is **synthetic**: a seeded simulation ({accounts:,} accounts, {days} days up to {end}, seed {seed}) made all of it.
Nothing in this folder may be used for training or for features. It exists so that calibration, ranking and uplift can be
checked against what is really so in the simulation.

`hazards/`: one row for each account that pays at the end of a month, and at the end of the data.

| column | meaning |
|---|---|
| `account_id`, `as_of` | the account; the end of the day from which on the probabilities count |
| `health` | latent health then; higher is healthier |
| `churn_hazard_per_day`, `upsell_hazard_per_day` | probability of the event on the day that ends then |
| `churn_probability_30d`, `_60d`, `_90d` | probability that the paid subscription ends within so many days |
| `upsell_probability_30d`, `_60d`, `_90d` | probability that plan or seats grow within so many days, before any end |

`treatment_effects/`: one row for each row of the raw table `treatments`, whichever arm was drawn.

| column | meaning |
|---|---|
| `treatment_id`, `account_id`, `action` | as in `treatments` |
| `retained_probability_90d_treated`, `..._held_out` | probability of no end within 90 days, if the action is taken, and if not |
| `effect_retained_90d` | the difference of the two; above zero is good |
| `expanded_probability_90d_treated`, `..._held_out` | probability of an expansion within 90 days, likewise |
| `effect_expanded_90d` | the difference of the two |

How they are computed: from the full latent state, {paths} futures of 90 days are simulated in mirrored pairs with the same
functions that made the history; later incidents, payments, treatments and plan changes are drawn anew in each. Leaving is not
drawn but integrated, and so is the first upsell. Both arms of a treatment use the same random numbers. So each figure is an
unbiased estimate with a small error of simulation, which shrinks with more futures; it knows the latent state, and
therefore is a ceiling that no model of the raw tables can be expected to reach.
"""


def truth_readme(settings: WorldSettings) -> str:
    """Return the text of `truth/README.md` for the world of *settings*."""
    return _PAGE.format(
        accounts=settings.accounts,
        days=settings.days,
        end=settings.end,
        seed=settings.seed,
        paths=settings.truth_paths,
    )
