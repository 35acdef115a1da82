"""Writes the scores of many accounts as JSON at once, without an object a score, a signal or a number.

What repeats from account to account (names, sentences, evidence, the model) is kept as bytes; numbers are
written by orjson, all of a kind together. The bytes are those that `AccountScore.to_json_value` comes to.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from serving.bundle.manifest import TIER_TOP
from serving.features.rows import told
from serving.scoring.engine import require_zone, scoring_tables, weigh
from serving.scoring.expansion import UPSELL
from serving.scoring.result import INLINE_METHOD
from serving.scoring.score import PROBABILITY_DIGITS
from serving.scoring.signals import SHOWN, Signal, pick_signals

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle, Outputs
    from serving.features.rows import ContextValue
    from serving.scoring.engine import Asked
    from serving.scoring.evidence import Evidence, EvidenceStatus
    from serving.scoring.expansion import ExpansionLine
    from serving.scoring.sayings import Sayings
    from serving.scoring.signals import Picked, SignalTables
    from serving.scoring.winback import Winback

REMEMBERED: Final = 8_192
MISSING: Final = float("inf")
"""Stands for a missing value where one is looked up: NaN is not found again."""

_BETWEEN: Final = b"\0"
"""Is nowhere in JSON."""
_HEADS: Final = ("churn", "upsell")
_SIDES: Final = (b"", b'],"lowering":[')
"""What stands before the first signal of either side."""


class WrittenSayings(dict["ContextValue", bytes]):
    """A table from a value of one feature to a signal's JSON up to its contribution."""

    def __init__(self, sayings: Sayings, before: bytes = b"") -> None:
        """Start empty; what is not there is made from *sayings*, and stands after *before*."""
        self._sayings, self._before = sayings, before
        super().__init__()

    def __missing__(self, value: ContextValue) -> bytes:
        said = self._sayings[None if value == MISSING else value]
        written = self._before + orjson.dumps(Signal(said, 0.0).to_dict()).removesuffix(b"0.0}")
        if len(self) >= REMEMBERED:
            self.clear()
        self[value] = written
        return written


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    """What is the same for all accounts of a bundle.

    Attributes:
        openings: By score, what stands between the account and its first probability.
        probabilities: Head and column of each probability, and what follows it.
        sayings: For each place of a signal, the raising ones first, by column what is said of a value; last what
            stands there if there is no such signal.
        before_evidence: What stands between the signals and the evidence.
        ends: What stands after the evidence, by whether the account is ready to expand, of one that has not left.
        before_winback: What stands between the evidence and what is said of one that has, likewise.
        after_winback: What stands after that.
    """

    openings: tuple[bytes, ...]
    probabilities: tuple[tuple[str, int, bytes], ...]
    sayings: tuple[tuple[Mapping[ContextValue, bytes], ...], ...]
    before_evidence: bytes
    ends: dict[bool | None, bytes]
    before_winback: dict[bool | None, bytes]
    after_winback: bytes


@functools.lru_cache(maxsize=8)
def _template(bundle: Bundle) -> _Template:
    tables = scoring_tables(bundle)
    places, between = [], [b","]
    for head in _HEADS:
        between[-1] += b'"' + head.encode() + b'_probability":{'
        for column, horizon in enumerate(tables.horizons.get(head, ())):
            places.append((head, column))
            between[-1] += (b"," if column else b"") + b'"' + horizon.encode() + b'":'
            between.append(b"")
        between[-1] += b"},"
    between[-1] += b'"signals":{"method":"' + INLINE_METHOD.encode() + b'",'
    if tables.base is not None:
        between[-1] += b'"base":' + orjson.dumps(tables.base) + b","
    between[-1] += b'"raising":['
    sayings: list[tuple[Mapping[ContextValue, bytes], ...]] = []
    further = _written_sayings(tables.signals, b",", b"")
    for side in _SIDES:
        first = _written_sayings(tables.signals, side, side)
        sayings += [first, *[further] * (SHOWN - 1)][: tables.signals.membership.shape[1]]
    last = orjson.dumps({"model": bundle.tag, "feature_contract": bundle.manifest.contract_hash})
    after_winback = b"," + last[1:]
    before_winback = {
        ready: b"," + orjson.dumps({"expansion_ready": ready})[1:-1] + b',"winback":'
        for ready in (True, False, None)
    }
    return _Template(
        openings=tuple(
            b"," + orjson.dumps({"churn_risk_score": score, "churn_risk_tier": tier})[1:-1] + between[0]
            for score, tier in enumerate(tables.tiers)
        ),
        probabilities=tuple(
            (head, column, after) for (head, column), after in zip(places, between[1:], strict=True)
        ),
        sayings=tuple(sayings),
        before_evidence=b']},"evidence":' if tables.base is None else b'},"evidence":',
        ends={ready: before + b"null" + after_winback for ready, before in before_winback.items()},
        before_winback=before_winback,
        after_winback=after_winback,
    )


def _written_sayings(
    tables: SignalTables, before: bytes, nothing: bytes
) -> tuple[Mapping[ContextValue, bytes], ...]:
    """Return by column what is said of a value, after what stands *before* it; last what stands for no signal."""
    return (*(WrittenSayings(one, before) for one in tables.sayings), {0.0: nothing})


@dataclass(frozen=True, slots=True)
class Written:
    """The scores of some accounts as JSON.

    Attributes:
        pieces: The JSON objects of the known accounts in order, each after a comma, in pieces to be put together
            once, with those of other parts: a megabyte is not copied for nothing.
        statuses: Status of the evidence of each.
        unknown: The accounts of which the store holds nothing.
    """

    pieces: list[bytes]
    statuses: list[EvidenceStatus]
    unknown: Sequence[str]

    @property
    def scores(self) -> bytes:
        """The objects with commas between; empty if there are none."""
        return b"".join(self.pieces)[1:]


def nothing_written(asked: Asked) -> Written:
    """Return the answer where nothing is known of any account."""
    return Written([], [], asked.rows.account_ids)


def write(
    asked: Asked, outputs: Outputs, bundle: Bundle, now: dt.datetime, clock_label: str | None = None
) -> Written:
    """Return as JSON the scores that *outputs* are, which the graph gave for *asked*; see `engine.finish`.

    Raises:
        ValueError: *now* is naive, the graph gave no contributions, or what it gave is no probability.
    """
    require_zone(now)
    if outputs.contributions is None:
        raise ValueError("the graph was not asked for contributions; there are no reasons to write")
    tables, template = scoring_tables(bundle), _template(bundle)
    exact = outputs.probabilities[bundle.manifest.score_head][:, tables.score_column]
    picked = pick_signals(tables.signals, outputs.contributions)
    evidence = weigh(asked, outputs, tables, now, clock_label)
    rounded = {head: np.round(values.T, PROBABILITY_DIGITS) for head, values in outputs.probabilities.items()}
    columns: tuple[Sequence[bytes], ...] = (
        _strings(asked.account_ids, b',{"account_id":'),
        [template.openings[score] for score in _scores(exact)],
        *(_numbers(rounded[head][column], after) for head, column, after in template.probabilities),
        *_signals(asked, picked, tables.signals, template),
        *(() if tables.base is None else (_numbers_after(picked.others, b'],"others":'),)),
        _with_winback(
            _ends(evidence, _over(rounded, tables.expansion), template),
            {} if tables.departures is None else tables.departures.told(asked.matrix, outputs),
            evidence,
            template,
        ),
    )
    pieces = [b""] * (len(columns) * len(evidence))
    for place, column in enumerate(columns):
        pieces[place :: len(columns)] = column
    flags = asked.rows.known.tolist()
    return Written(
        pieces=pieces,
        statuses=[rests_on.status for rests_on in evidence],
        unknown=()
        if asked.everyone
        else [
            account_id for account_id, known in zip(asked.rows.account_ids, flags, strict=True) if not known
        ],
    )


def _scores(probabilities: NDArray[np.float64]) -> list[int]:
    """Return what `churn_risk_score` returns, for all of them."""
    if not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError(f"{probabilities!r} are not all probabilities")
    scores: list[int] = np.floor(probabilities * TIER_TOP + 0.5).astype(np.intp).tolist()
    return scores


def _signals(
    asked: Asked, picked: Picked, tables: SignalTables, template: _Template
) -> Iterator[list[bytes]]:
    """Yield the columns of the arrays `raising` and `lowering`: two for each signal that may be shown."""
    n, n_features = asked.matrix.shape
    nothing = ~picked.counted
    values = asked.matrix.take(picked.columns + np.arange(0, n * n_features, n_features))
    values[~np.isfinite(values)] = MISSING
    texts = (tables.text_columns.take(picked.columns) & picked.counted).ravel().nonzero()[0].tolist()
    chosen = picked.columns.copy()
    chosen[nothing], values[nothing] = n_features, 0.0
    columns: list[int] = chosen.ravel().tolist()
    keys: list[Any] = values.ravel().tolist()
    for cell in texts:
        keys[cell] = told(asked.rows.context, asked.known[cell % n], tables.features[columns[cell]])
    numbers = _numbers(picked.contributions.ravel(), b"}")
    for cell in nothing.ravel().nonzero()[0].tolist():
        numbers[cell] = b""
    for number, sayings in enumerate(template.sayings):
        here = slice(number * n, number * n + n)
        yield [sayings[column][key] for column, key in zip(columns[here], keys[here], strict=True)]
        yield numbers[here]


def _over(rounded: Mapping[str, NDArray[np.float64]], line: ExpansionLine | None) -> list[int] | None:
    """Return which accounts are over *line*, if there is one."""
    if line is None:
        return None
    over: list[int] = (rounded[UPSELL][line.column] >= line.threshold).nonzero()[0].tolist()
    return over


def _ends(evidence: Sequence[Evidence], over: Sequence[int] | None, template: _Template) -> list[bytes]:
    """Return what stands after the signals: evidence, which most accounts share, and what follows it.

    An account is ready to expand where `ExpansionLine.passed` says so: it is *over* the line, and its evidence is full.
    """
    kept = list(map(id, evidence))
    distinct = dict(zip(kept, evidence, strict=True))
    before, usual = template.before_evidence, template.ends[None if over is None else False]
    written = {key: before + one.json + usual for key, one in distinct.items()}
    ends = list(map(written.__getitem__, kept))
    for place in over or ():
        if evidence[place].status == "full":
            ends[place] = before + evidence[place].json + template.ends[True]
    return ends


def _with_winback(
    ends: list[bytes], told: Mapping[int, Winback], evidence: Sequence[Evidence], template: _Template
) -> list[bytes]:
    """Return *ends* with what is *told* of accounts that have left in place of the null that stands there."""
    for place, winback in told.items():
        ready = next(ready for ready, usual in template.ends.items() if ends[place].endswith(usual))
        kept = ends[place].removesuffix(template.ends[ready]) + template.before_winback[ready]
        ends[place] = kept + orjson.dumps(winback.shown(evidence[place])) + template.after_winback
    return ends


def _numbers(values: NDArray[np.float64], after: bytes) -> list[bytes]:
    """Return each of *values* as JSON with what stands after it."""
    if not len(values):
        return []
    return (_listed(values).replace(b",", after + _BETWEEN) + after).split(_BETWEEN)


def _numbers_after(values: NDArray[np.float64], before: bytes) -> list[bytes]:
    """Return each of *values* as JSON after what stands before it."""
    if not len(values):
        return []
    return (before + _listed(values).replace(b",", _BETWEEN + before)).split(_BETWEEN)


def _listed(values: NDArray[np.float64]) -> bytes:
    """Return *values* as JSON with commas between."""
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]


def _strings(values: Sequence[str], before: bytes) -> list[bytes]:
    """Return each of *values* as JSON after what stands before it; in there is no line break as between them."""
    if not values:
        return []
    listed = orjson.dumps(values, option=orjson.OPT_INDENT_2)[4:-2]
    return (before + listed.replace(b",\n  ", _BETWEEN + before)).split(_BETWEEN)
