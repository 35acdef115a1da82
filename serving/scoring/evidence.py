"""Says what a score rests on: the age of each feature view, and whether that is full, thin or stale."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import orjson

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from feature_repo.contract import ContractView
    from serving.scoring.null_views import ExpectedViews
    from serving.scoring.verification.compiled import Verification
    from serving.scoring.verification.document import Check

EvidenceStatus = Literal["full", "thin", "stale"]
EvidenceReason = Literal[
    "stale_view", "missing_view", "new_account", "unknown_age", "unlike_training", "failed_check"
]  # fmt: skip
_Key: TypeAlias = tuple[int, str | None, tuple[float, ...]]
_NEW, _AGELESS, _UNLIKE, _NULL_VIEWS = 1, 2, 4, 8
"""What an account's kind is made of, a number: is it new, of unknown age, unlike those of training; from 8 on the code
of its null views, and above those that of the checks that it fails. Accounts of one kind with equal times have equal
evidence."""
_OF_SUBSCRIBED: Final = frozenset({"unlike_training", "failed_check"})
# The longest of the usual windows: a younger account has no complete month to compare anything with.
NEW_ACCOUNT_DAYS = 28
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class ViewAge:
    """The age of one view's row.

    Attributes:
        as_of: The row's event time in epoch seconds; None if there is no row.
        age_seconds: Whole seconds since then; negative if the row is stamped after the clock.
        limit_seconds: Age past which the row is stale.
    """

    as_of: float | None
    age_seconds: int | None
    limit_seconds: int

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the value as the HTTP answer shows it."""
        return {
            "as_of": None if self.as_of is None else _iso(self.as_of),
            "age_seconds": self.age_seconds,
            "limit_seconds": self.limit_seconds,
        }


@dataclass(frozen=True)
class Evidence:
    """What an account's score rests on.

    Attributes:
        status: `stale` if a view is older than its limit; else `thin` if a view is missing, the account is
            younger than 28 days or of unknown age, it is unlike what the models learnt from, or what they say of it
            fails a check whose effect is `thin`; else `full`.
        views: Age by view.
        missing: Views that hold nothing of the account: they have no row, or a row that is null throughout where the
            models expect something.
        clock: None for the machine's time, otherwise what kind of clock told the time.
        reasons: Why the evidence is not full; empty if it is.
        failed_checks: Checks by rule that contradict what the models say of the account, whatever their effect.
    """

    status: EvidenceStatus
    views: dict[str, ViewAge]
    missing: tuple[str, ...]
    clock: str | None = None
    reasons: tuple[EvidenceReason, ...] = ()
    failed_checks: tuple[Check, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the value as the HTTP answer shows it."""
        shown: dict[str, Any] = {
            "status": self.status,
            "reasons": list(self.reasons),
            "views": {name: age.to_dict() for name, age in self.views.items()},
            "missing": list(self.missing),
            "failed_checks": [check.shown() for check in self.failed_checks],
        }
        if self.clock is not None:
            shown["clock"] = self.clock
        return shown

    @functools.cached_property
    def json(self) -> bytes:
        """The value as JSON, made once; accounts of one day share their evidence."""
        return orjson.dumps(self.to_dict())

    @functools.cached_property
    def fragment(self) -> orjson.Fragment:
        """The same for orjson to put in."""
        return orjson.Fragment(self.json)


class EvidenceScale:
    """Weighs the evidence of one contract's accounts, and remembers what it found while that holds.

    The rows of one day share their times, so within a second nearly all accounts have the same evidence.
    """

    def __init__(
        self,
        views: Sequence[ContractView],
        expected: ExpectedViews | None = None,
        verification: Verification | None = None,
    ) -> None:
        """Remember nothing yet.

        Args:
            views: The contract's views.
            expected: Those that must not be null throughout; None if that is not known.
            verification: Checks of what the models say; None if there are none.
        """
        self._views = tuple(views)
        self._expected = expected
        self._verification = verification
        self._failed = _NULL_VIEWS << (0 if expected is None else len(expected.names))
        self._found: dict[_Key, tuple[float, float, Evidence]] = {}

    def weigh(
        self,
        as_of: Sequence[float],
        now: float,
        *,
        account_age_days: float | None,
        unlike: bool = False,
        null_code: int = 0,
        failed_code: int = 0,
        clock: str | None = None,
    ) -> Evidence:
        """Return the evidence of one account.

        See `weigh_evidence` for the arguments; *null_code* is what `ExpectedViews.codes` says of its null views, and
        *failed_code* what `Verification.codes` says of the checks that it fails.
        """
        # Without a row a view's time is NaN, which equals nothing; -1 stands for it.
        times = tuple([time if time == time else -1.0 for time in as_of])  # noqa: PLR0124 -- only NaN differs
        kind = self._failed * failed_code + _NULL_VIEWS * null_code + _UNLIKE * unlike
        if account_age_days is not None and not account_age_days >= NEW_ACCOUNT_DAYS:
            kind += _NEW if account_age_days < NEW_ACCOUNT_DAYS else _AGELESS
        key = (kind, clock, times)
        known = self._found.get(key)
        if known is not None and known[0] <= now < known[1]:
            return known[2]
        evidence = weigh_evidence(
            self._views,
            as_of,
            now,
            account_age_days=account_age_days,
            unlike=unlike,
            null_views=self._expected.named(null_code) if self._expected is not None and null_code else (),
            failed_checks=()
            if self._verification is None or not failed_code
            else self._verification.failed(failed_code),
            clock=clock,
        )
        if len(self._found) >= REMEMBERED:
            self._found.clear()
        self._found[key] = (now, self._holds_until(as_of, now), evidence)
        return evidence

    def weigh_all(
        self,
        as_of: NDArray[np.float64],
        now: float,
        *,
        account_age_days: NDArray[np.float64] | None,
        unlike: NDArray[np.bool_] | None = None,
        matrix: NDArray[np.float64] | None = None,
        failed: Sequence[int] | NDArray[np.int64] | None = None,
        clock: str | None,
    ) -> list[Evidence]:
        """Return the evidence of n accounts; see `weigh_evidence` for the arguments, here of n rows.

        Null views are told from the model features in *matrix*, shape (n, model features), where that is given, and
        checks that fail from *failed*, which is what `Verification.codes` gives.
        """
        expected = None if matrix is None else self._expected
        n = len(as_of)

        def weighed(row: int, null_code: int) -> Evidence:
            return self.weigh(
                as_of[row].tolist(),
                now,
                account_age_days=None if account_age_days is None else account_age_days.item(row),
                unlike=unlike is not None and unlike.item(row),
                null_code=null_code,
                failed_code=0 if failed is None else int(failed[row]),
                clock=clock,
            )

        if n == 1:
            null_code = 0 if expected is None or matrix is None else expected.code(matrix.item)
            return [weighed(0, null_code)]
        null_codes = (
            np.zeros(n, dtype=np.int64) if expected is None or matrix is None else expected.codes(matrix)
        )
        kind = null_codes * _NULL_VIEWS
        if account_age_days is not None:
            kind += _NEW * (account_age_days < NEW_ACCOUNT_DAYS) + _AGELESS * np.isnan(account_age_days)
        if unlike is not None:
            kind += _UNLIKE * unlike
        if failed is not None:
            kind += np.multiply(failed, self._failed)
        kinds: list[int] = kind.tolist()
        times = np.ascontiguousarray(as_of)
        if n and (times == times[0]).all():
            told = {
                kind: weighed(row, null_codes.item(row))
                for kind, row in dict(zip(kinds, range(n), strict=True)).items()
            }
            return list(map(told.__getitem__, kinds))
        here: dict[tuple[bytes, int], Evidence] = {}
        found = []
        for row, key in enumerate(zip(map(bytes, times), kinds, strict=True)):  # most have the same
            evidence = here.get(key)
            if evidence is None:
                evidence = here[key] = weighed(row, null_codes.item(row))
            found.append(evidence)
        return found

    def _holds_until(self, as_of: Sequence[float], now: float) -> float:
        """Return the first time at which an age shows another second, or a view goes stale."""
        until = now + 1.0
        for view, time in zip(self._views, as_of, strict=True):
            if time <= now:
                until = min(until, time + int(now - time) + 1.0)
                if now <= time + view.limit_seconds:
                    until = min(until, time + view.limit_seconds)
            elif time > now:  # stamped after the clock: rare, and weighed each time
                until = now
        return until


def weigh_evidence(
    views: Sequence[ContractView],
    as_of: Sequence[float],
    now: float,
    *,
    account_age_days: float | None = None,
    unlike: bool = False,
    null_views: Collection[str] = (),
    failed_checks: Sequence[Check] = (),
    clock: str | None = None,
) -> Evidence:
    """Return the evidence of one account.

    Args:
        views: The contract's views.
        as_of: Event time of each view's row in epoch seconds, NaN where there is none.
        now: Epoch seconds.
        account_age_days: Age of the account; NaN if that is not known, None if the models do not read it.
        unlike: Whether the account is unlike those that the models learnt from; see `Support.unlike`.
        null_views: Views with a row that says nothing, though the models expect something; see `ExpectedViews`.
        failed_checks: Checks that contradict what the models say of it.
        clock: See `Evidence`.
    """
    ages: dict[str, ViewAge] = {}
    missing = []
    stale = False
    for view, time in zip(views, as_of, strict=True):
        limit = view.limit_seconds
        if time != time:  # noqa: PLR0124 - only NaN differs from itself
            ages[view.name] = ViewAge(None, None, limit)
            missing.append(view.name)
            continue
        age = now - time
        stale = stale or age > limit
        ages[view.name] = ViewAge(time, int(age), limit)
        if view.name in null_views:
            missing.append(view.name)
    new, ageless = _age_kind(account_age_days)
    holding: dict[EvidenceReason, bool] = {
        "stale_view": stale, "missing_view": bool(missing), "new_account": new, "unknown_age": ageless,
        "unlike_training": unlike, "failed_check": any(check.effect == "thin" for check in failed_checks),
    }  # fmt: skip
    reasons = tuple([reason for reason, holds in holding.items() if holds])
    status: EvidenceStatus = "stale" if stale else "thin" if reasons else "full"
    return Evidence(status, ages, tuple(missing), clock, reasons, tuple(failed_checks))


def reasons_of_leaver(reasons: Sequence[EvidenceReason], *, has_rows: bool) -> list[EvidenceReason]:
    """Return those of *reasons* that weigh where an account has left: what speaks against winning it back on them.

    That it is unlike accounts with a subscription, that models of these say things of it that can't be, and that views
    are silent about somebody who is gone, is what having left means.

    Args:
        reasons: Why its evidence is not full.
        has_rows: Whether every view has a row of it, be it a silent one.
    """
    lawful = _OF_SUBSCRIBED | {"missing_view"} if has_rows else _OF_SUBSCRIBED
    return [reason for reason in reasons if reason not in lawful]


def _age_kind(account_age_days: float | None) -> tuple[bool, bool]:
    """Return whether an account is new, and whether its age should be known and is not."""
    if account_age_days is None:
        return False, False
    return account_age_days < NEW_ACCOUNT_DAYS, account_age_days != account_age_days  # noqa: PLR0124 -- only NaN differs


@functools.lru_cache(maxsize=4096)
def _iso(seconds: float) -> str:
    # Rows of one day share their time, so nearly every call finds its answer here.
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
