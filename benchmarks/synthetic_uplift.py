"""Uplift on synthetic worlds, against their truth: a simulation that knows what every action would have done.

Heads are those that `keepgrow train` would have made of the earlier draws. For every later draw the world is taken up
again from the account's full state and played forward under doing nothing and under each of the five actions, so that
the true effect of all actions is known there, not only of the one that was drawn. Nothing here says anything about real
customers.

    python -m benchmarks.synthetic_uplift WORLD [WORLD ...] [--out FILE] [--paths 32] [--catalogue FILE]

WORLD is a folder with `raw` (made by `keepgrow synth`), `features` and `registry.db`, as `keepgrow up` leaves it in
`.keepgrow/synthetic`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks import script
from benchmarks.synthetic_estimates import PRIORS, SHIPPED, tell
from benchmarks.synthetic_figures import covered, error_ratio, rank, true_sd
from benchmarks.synthetic_policies import (
    ORACLE,
    SERVED,
    SURE,
    SURE_PRIORS,
    WORTH,
    Z_90,
    money_policies,
    policies,
)
from benchmarks.synthetic_truth import treatment_truth
from benchmarks.synthetic_world import CATALOGUE, SEED, declared_priors, read_world
from training.evaluation.bootstrap import AccountBootstrap
from training.treatments import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from benchmarks.synthetic_estimates import Told
    from benchmarks.synthetic_world import SyntheticWorld
    from training.heads.uplift.shrinkage import Prior

PREFACE: Final = (
    "`python -m benchmarks.synthetic_uplift WORLD ...`, {}; **simulations**. Heads as `keepgrow train` makes them of "
    "the earlier draws, with the priors that the catalogue declares; effects within 90 days by {} futures an action "
    "from the account's full state. Those learnt from had their outcomes before the later draws began. Effects in "
    "percentage points; 95 % intervals over accounts."
)
SUMMARY: Final = ("mean over worlds", "least", "most")


def shipped_rows(told: Told, outcome: str, halves: NDArray[np.float64]) -> list[tuple[str, list[str]]]:
    """Return the rows on the heads that ship: how large, how sure, and how right where they are sure."""
    one, truth = told.estimates[outcome][SHIPPED], halves.mean(axis=0)  # type: ignore[index]
    size = told.propensity[outcome]  # type: ignore[index]
    actions = range(truth.shape[1])
    sure = one.effect - Z_90 * one.standard_error > 0
    alike = one.effect - Z_90 * one.of_mean > 0
    return [
        (
            "true effect, mean ± sd, points",
            [f"{100 * truth[:, k].mean():.2f} ± {100 * true_sd(halves, k):.2f}" for k in actions],
        ),
        (
            f"{PRIORS}, mean, points",
            [f"{100 * told.estimates[outcome][PRIORS].effect[:, k].mean():.2f}" for k in actions],  # type: ignore[index]
        ),
        (
            "as shipped, mean ± sd, points",
            [f"{100 * e.mean():.2f} ± {100 * e.std():.2f}" for e in one.effect.T],
        ),
        (
            "true effect within the 90 % interval",
            [f"{covered(one, halves, k, size):.0%}" for k in actions],
        ),
        ("error, as a multiple of the one claimed", [f"{error_ratio(one, halves, k):.2f}" for k in actions]),
        ("surely above zero, of the accounts", [f"{sure[:, k].mean():.0%}" for k in actions]),
        ("the same of the mean of accounts alike", [f"{alike[:, k].mean():.0%}" for k in actions]),
        (
            "true effect of those, mean, points",
            [f"{100 * truth[alike[:, k], k].mean():.2f}" if alike[:, k].any() else "-" for k in actions],
        ),
        (
            "draws and prior apart, standard errors",
            [_conflict(told, outcome, name) for name in told.later.actions],
        ),
    ]


def gain_lines(
    gains: Mapping[str, NDArray[np.float64]], account_id: NDArray[np.object_], unit: str
) -> list[str]:
    """Return a table of policies, best first, with 95 % intervals over accounts."""
    lines = ["", f"| policy | true gain, {unit} | regret | share of the oracle's gain |", "|---|---|---|---|"]
    best = float(gains[ORACLE].mean())
    bootstrap = AccountBootstrap(account_id, samples=300, seed=SEED)
    for name, gain in sorted(gains.items(), key=lambda item: -item[1].mean()):
        found = bootstrap.estimate(lambda weight, gain=gain: (weight @ gain) / weight.sum(axis=1))  # type: ignore[misc]
        lines.append(
            f"| {name} | {100 * found.value:.2f} ({100 * found.low:.2f} to {100 * found.high:.2f}) | "
            f"{100 * abs(best - found.value):.2f} | {found.value / best:.0%} |"
        )
    return lines


def section(
    world: SyntheticWorld, priors: Mapping[tuple[str, str], Prior], paths: int
) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Return the lines of one world, and its figures by what they are of and by way of estimating."""
    told = tell(world, priors)
    known = treatment_truth(world.settings, world.begin, paths=paths)
    actions = told.later.actions
    halves = {outcome: known.halves(outcome, told.later, actions) for outcome in OUTCOMES}
    truth = {outcome: one.mean(axis=0) for outcome, one in halves.items()}
    figures: dict[str, dict[str, float]] = {}
    begin = world.begin.astype("datetime64[D]")
    lines = [
        f"## World of seed {world.settings.seed}: {world.settings.accounts:,} accounts, {world.settings.days} days",
        "",
        f"{int(world.split.train.sum()):,} draws to learn from; {len(told.later):,} from {begin} on are judged.",
    ]
    for outcome in OUTCOMES:
        found = told.estimates[outcome]
        choice = told.report["outcomes"][outcome]["choice"]
        ranks = {
            name: [rank(one.effect[:, k], truth[outcome][:, k]) for k in range(len(actions))]
            for name, one in found.items()
        }
        lines += ["", f"### {outcome}: learner chosen `{choice['learner']}`", ""]
        lines += ["Rank correlation (Spearman) of estimated with true effect (nan: one value for all):", ""]
        lines += [f"| | {' | '.join(actions)} |", f"|---|{'---|' * len(actions)}"]
        lines += [f"| {name} | {' | '.join(f'{one:.2f}' for one in of)} |" for name, of in ranks.items()]
        lines += [
            f"| {name} | {' | '.join(cells)} |"
            for name, cells in shipped_rows(told, outcome, halves[outcome])
        ]
        gains = policies(
            found, truth[outcome],
            single=(actions[told.single[outcome]], told.single[outcome]), propensity=told.propensity[outcome],
        )  # fmt: skip
        lines += gain_lines(gains, told.later.account_id, "points an account")
        figures[f"{outcome}: mean rank correlation"] = {
            name: float(np.nanmean(of)) for name, of in ranks.items() if not np.all(np.isnan(of))
        }
        figures[f"{outcome}: true gain, points"] = {
            name: 100 * float(gains[name].mean()) for name in (*found, ORACLE)
        }
        size = told.propensity[outcome]
        shares = [covered(found[SHIPPED], halves[outcome], k, size) for k in range(len(actions))]
        figures[f"{outcome}: true effect within the 90 % interval, as shipped"] = {
            name: 100 * share for name, share in zip(actions, shares, strict=True)
        }
    gains = money_policies(told, truth)
    weights = " and ".join(f"{worth:g} for {outcome}" for outcome, worth in WORTH.items())
    lines += ["", "### Both outcomes in money", ""]
    lines += [f"The action with the largest sum of both effects, in % of the account's MRR ({weights})."]
    lines += gain_lines(gains, told.later.account_id, "% of MRR")
    named = [
        *next(iter(told.estimates.values())),
        SURE,
        SERVED,
        SURE_PRIORS,
        ORACLE,
        "random action",
    ]
    figures["both outcomes in money: true gain, % of MRR"] = {
        name: 100 * float(gains[name].mean()) for name in named
    }
    return lines, figures


def summary(found: list[dict[str, dict[str, float]]]) -> list[str]:
    """Return a table a figure: its mean, least and most over all worlds."""
    lines = ["## All worlds together"]
    for figure in found[0]:
        lines += ["", f"| {figure} | {' | '.join(SUMMARY)} |", "|---|---|---|---|"]
        for name in found[0][figure]:
            values = np.array([one[figure].get(name, np.nan) for one in found])
            cells = (np.nanmean(values), np.nanmin(values), np.nanmax(values))
            lines.append(f"| {name} | {' | '.join(f'{cell:.2f}' for cell in cells)} |")
    return lines


def _conflict(told: Told, outcome: str, action: str) -> str:
    conflict = told.report["outcomes"][outcome]["actions"][action]["shipped"]["conflict"]
    return "-" if conflict is None else f"{conflict['z']:+.1f}"


def main() -> None:
    """Run the benchmark and write its page."""
    parser = script.arguments(__doc__, "synthetic-uplift.md")
    parser.add_argument("worlds", type=Path, nargs="*", help="folders with raw, features and registry.db")
    parser.add_argument(
        "--paths", type=int, default=32, help="simulated futures a draw and action, a multiple of 4"
    )
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="catalogue of declared effects")
    parser.add_argument("--quick", action="store_true", help="fewer futures")
    chosen = parser.parse_args()
    if not chosen.worlds:
        script.say(["No synthetic world was given: name a folder that `keepgrow up` made"])
        return
    paths, priors = 8 if chosen.quick else chosen.paths, declared_priors(chosen.catalogue)
    lines = [
        "## Uplift on synthetic worlds, against their truth",
        "",
        PREFACE.format(script.today(), paths),
    ]
    found = []
    for folder in chosen.worlds:
        told, figures = section(read_world(folder, lambda line: script.say([line])), priors, paths)
        lines += ["", *told]
        found.append(figures)
        script.say([f"{folder} done"])
    if len(found) > 1:
        lines += ["", *summary(found)]
    script.write(chosen.out, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
