"""The facts of a model card as values: what both renderings are made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.card.plots import Plot
    from training.card.sections import Section, Table
    from training.card.summary import Summary


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric with its interval; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """The figures of one model, ours or a baseline's, by metric key."""

    key: str
    label: str
    note: str
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class HorizonFacts:
    """How one head did at one horizon, on test rows.

    Attributes:
        horizon: Such as `90d`.
        rows: Test rows whose label is known.
        accounts: Accounts among them.
        events: Rows with the event.
        threshold: How the decision threshold was chosen, in one sentence.
        models: Ours first, then each baseline.
        verdict: Whether ours ranks better than every baseline, in one sentence.
        doubtful: Baselines that are not surely beaten, by label.
        missed: Targets that were missed beyond noise, in words.
        plots: ROC, precision against recall, calibration and lift, as far as there are curves.
        remarks: What calibration and truth have to say, a sentence each.
        tables: Targets, threshold rules, segments and score bands, as far as they were judged.
    """

    horizon: str
    rows: int
    accounts: int
    events: int
    threshold: str
    models: tuple[ModelFigures, ...]
    verdict: str
    doubtful: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    remarks: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """What is said of one head."""

    name: str
    definition: str
    horizons: tuple[HorizonFacts, ...]
    features: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All that a model card says.

    Attributes:
        title: Heading.
        synthetic: The sentence that says so when the data is synthetic, else None.
        purpose: What the models are for.
        summary: Five figures, what the bundle is good for and what not.
        data: The section on data and time.
        heads: See `HeadFacts`.
        confidence: How intervals were made, in words.
        tiers: Name and range of every tier.
        score: What the score is, in one sentence.
        explanations: Fidelity of contributions by name; empty if it was not measured.
        parity: Sentence about how far the served graph lies from LightGBM.
        limits: What one must not expect.
        hashes: Hashes, versions and times by name.
        sections: Slices, ablations, uplift and so on, as far as the bundle has them.
        score_horizon: Horizon of the score, such as `90d`.
        terms: Terms with their meanings.
    """

    title: str
    synthetic: str | None
    purpose: str
    summary: Summary
    data: Section
    heads: tuple[HeadFacts, ...]
    confidence: str
    tiers: tuple[tuple[str, int, int], ...]
    score: str
    explanations: dict[str, Any]
    parity: str
    limits: tuple[str, ...]
    hashes: dict[str, str]
    sections: tuple[Section, ...] = ()
    score_horizon: str = ""
    terms: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain data."""
        return asdict(self)
