"""Writes the scores of many accounts as JSON at once, without an object a score, a signal or a number.

What repeats from account to account (names, sentences, evidence, the model) is kept as bytes; numbers are
written by orjson, all of a kind together. The bytes are those that `AccountScore.to_json_value` comes to.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

from serving.bundle.manifest import TIER_TOP
from serving.scoring.engine import PROBABILITY_DIGITS, require_zone, scoring_tables, weigh
from serving.scoring.result import INLINE_METHOD
from serving.scoring.signals import Signal, pick_signals

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle, Outputs
    from serving.features.rows import ContextValue
    from serving.scoring.engine import Asked, ScoringTables
    from serving.scoring.evidence import EvidenceStatus
    from serving.scoring.signals import SignalTables

REMEMBERED: Final = 32_768
MISSING: Final = float("inf")
"""Stands for a missing value where one is looked up: NaN is not found again."""

_NOTHING: Final = (-1, MISSING)
_ENDS: Final = (b"", b"}", b"},")
"""What stands after a signal, by how many there are of it and the one after it."""


class WrittenSayings(dict[tuple[int, "ContextValue"], bytes]):
    """A table from column and value to a signal's JSON up to its contribution; nothing for column -1."""

    def __init__(self, tables: SignalTables) -> None:
        """Start empty; what is not there is made from *tables*."""
        self._tables = tables
        super().__init__()

    def __missing__(self, key: tuple[int, ContextValue]) -> bytes:
        column, value = key
        if key == _NOTHING:
            written = b""
        else:
            said = self._tables.sayings[column][None if value == MISSING else value]
            written = orjson.dumps(Signal(said, 0.0).to_dict()).removesuffix(b"0.0}")
        if len(self) >= REMEMBERED:
            self.clear()
        self[key] = written
        return written


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    """What is the same for all accounts of a bundle.

    Attributes:
        openings: By score, what stands between the account and its probabilities.
        end: What stands after the evidence, with a comma for the next account.
        sayings: See `WrittenSayings`.
    """

    openings: tuple[bytes, ...]
    end: bytes
    sayings: WrittenSayings


@functools.lru_cache(maxsize=8)
def _template(bundle: Bundle) -> _Template:
    tables = scoring_tables(bundle)
    last = orjson.dumps({"model": bundle.tag, "feature_contract": bundle.manifest.contract_hash})
    return _Template(
        openings=tuple(
            b"," + orjson.dumps({"churn_risk_score": score, "churn_risk_tier": tier})[1:-1] + b","
            for score, tier in enumerate(tables.tiers)
        ),
        end=b"," + last[1:] + b",",
        sayings=WrittenSayings(tables.signals),
    )


@dataclass(frozen=True, slots=True)
class Written:
    """The scores of some accounts as JSON.

    Attributes:
        scores: The JSON objects of the known accounts in order, with commas between; empty if there are none.
        statuses: Status of the evidence of each.
        unknown: The accounts of which the store holds nothing.
    """

    scores: bytes
    statuses: list[EvidenceStatus]
    unknown: Sequence[str]


def nothing_written(asked: Asked) -> Written:
    """Return the answer where nothing is known of any account."""
    return Written(b"", [], asked.rows.account_ids)


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
    evidence = weigh(asked, tables, now, clock_label)
    raising, lowering = _signals(asked, outputs.contributions, tables.signals, template.sayings)
    columns: tuple[Iterable[bytes], ...] = (
        repeat(b'{"account_id":'),
        _strings(asked.account_ids),
        map(template.openings.__getitem__, _scores(exact)),
        *_probabilities("churn", outputs, tables),
        repeat(b","),
        *_probabilities("upsell", outputs, tables),
        repeat(b',"signals":{"method":"' + INLINE_METHOD.encode() + b'","raising":['),
        *raising,
        repeat(b'],"lowering":['),
        *lowering,
        repeat(b']},"evidence":'),
        [rests_on.json for rests_on in evidence],
        repeat(template.end),
    )
    lines = zip(*columns)  # noqa: B905 -- what is repeated has no end
    flags = asked.rows.known.tolist()
    return Written(
        scores=b"".join(chain.from_iterable(lines))[:-1],
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


def _probabilities(head: str, outputs: Outputs, tables: ScoringTables) -> Iterator[Iterable[bytes]]:
    """Yield the columns of `"churn_probability":{"30d":0.1,...}`."""
    start = b'"' + head.encode() + b'_probability":{'
    values = outputs.probabilities.get(head)
    if values is not None:
        numbers = _numbers(np.round(values, PROBABILITY_DIGITS).ravel().tolist())
        horizons = tables.horizons[head]
        for place, horizon in enumerate(horizons):
            yield repeat(start + b'"' + horizon.encode() + b'":')
            yield numbers[place :: len(horizons)]
            start = b","
        start = b""
    yield repeat(start + b"}")


def _signals(
    asked: Asked, contributions: NDArray[np.float32], tables: SignalTables, sayings: WrittenSayings
) -> tuple[list[list[bytes]], list[list[bytes]]]:
    """Return the columns of the arrays `raising` and `lowering`: three for each signal that may be shown."""
    picked = pick_signals(tables, contributions)
    rows = len(picked.counted)
    n = rows // 2
    values = asked.matrix[(np.arange(rows) % n)[:, None], picked.columns]
    values[~np.isfinite(values)] = MISSING
    # Place by place, so that what belongs to one place of all accounts stands together.
    columns, numbers = picked.columns.T.ravel(), _numbers(picked.contributions.T.ravel().tolist())
    keys: list[tuple[int, ContextValue]] = list(zip(columns.tolist(), values.T.ravel().tolist(), strict=True))
    context = asked.context
    for cell in tables.text_columns[columns].nonzero()[0].tolist():
        column = keys[cell][0]
        keys[cell] = column, context[cell % n].get(tables.features[column])
    for cell in (~picked.counted.T.ravel()).nonzero()[0].tolist():
        keys[cell], numbers[cell] = _NOTHING, b""
    followed = picked.counted.astype(np.intp)
    followed[:, :-1] += picked.counted[:, 1:]
    said = list(map(sayings.__getitem__, keys))
    ends = list(map(_ENDS.__getitem__, followed.T.ravel().tolist()))
    pieces = [[part[start : start + n] for part in (said, numbers, ends)] for start in range(0, len(keys), n)]
    return list(chain.from_iterable(pieces[::2])), list(chain.from_iterable(pieces[1::2]))


def _numbers(values: list[float]) -> list[bytes]:
    """Return each of *values* as JSON."""
    return orjson.dumps(values)[1:-1].split(b",") if values else []


def _strings(values: Sequence[str]) -> list[bytes]:
    """Return each of *values* as JSON; in there is no line break as between them."""
    return orjson.dumps(values, option=orjson.OPT_INDENT_2)[4:-2].split(b",\n  ") if values else []
