"""Requests made ahead of a measurement."""

from __future__ import annotations

import json

import pytest

from loadtests.bench.workload import make_shots

ACCOUNTS = [f'we "say" {number}' for number in range(600)]


def test_a_request_is_complete_and_says_its_length():
    """Head and body fit together, whatever characters an id has."""
    for shot in make_shots("score", ACCOUNTS, 20, seed=3):
        head, _, body = shot.request.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head
        account = json.loads(body)["account_id"]
        assert json.dumps(account).encode() in shot.expected


def test_a_bulk_request_names_500_different_accounts():
    """Its first and last account must both be in the answer."""
    (shot,) = make_shots("score_many", ACCOUNTS, 1, seed=3)
    ids = json.loads(shot.request.partition(b"\r\n\r\n")[2])["account_ids"]
    assert len(set(ids)) == 500
    assert {json.dumps(ids[0]).encode(), json.dumps(ids[-1]).encode()} <= set(shot.expected)


def test_equal_seeds_make_equal_requests():
    """The draw depends on the seed alone."""
    assert make_shots("score", ACCOUNTS, 30, seed=5) == make_shots("score", ACCOUNTS, 30, seed=5)
    assert make_shots("score", ACCOUNTS, 30, seed=5) != make_shots("score", ACCOUNTS, 30, seed=6)


def test_too_few_accounts_for_a_bulk_request_are_refused():
    """500 accounts can't be drawn out of ten."""
    with pytest.raises(ValueError, match="names 500 accounts; there are 10"):
        make_shots("score_many", ACCOUNTS[:10], 1, seed=1)
