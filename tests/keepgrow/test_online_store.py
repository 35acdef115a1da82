"""Whose features a store holds: the note that `keepgrow up` leaves there."""

from __future__ import annotations

import pytest
import redis

from feature_repo.errors import OnlineStoreError
from keepgrow.online_store import claim_store, note_filled


@pytest.fixture
def url(valkey_url):
    """Return the URL of an emptied database."""
    url = valkey_url.removesuffix("/0") + "/10"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


def test_a_store_is_filled_once_its_note_says_so(url, tmp_path):
    """Claiming is not filling, and keys of others do not pass for features."""
    with redis.Redis.from_url(url) as client:
        client.set("somebody-elses", "key")
        assert claim_store(url, tmp_path, shared=True) is None
        assert claim_store(url, tmp_path, shared=True) is None
        note_filled(url, "print-1")
        assert claim_store(url, tmp_path, shared=True) == "print-1"
        client.flushdb()
    assert claim_store(url, tmp_path, shared=True) is None


def test_a_second_data_folder_is_refused(url, tmp_path):
    """A store that holds, or is about to hold, one folder's features is not given to another, until emptied."""
    claim_store(url, tmp_path / "first", shared=True)
    with pytest.raises(OnlineStoreError, match=r"features of .*/first, and those of .*/second.*/1"):
        claim_store(url, tmp_path / "second", shared=True)
    assert claim_store(url, tmp_path / "third" / ".." / "first", shared=True) is None
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    assert claim_store(url, tmp_path / "second", shared=True) is None


def test_the_embedded_store_moves_with_its_workspace(url, tmp_path):
    """A workspace's own store is its own, also once the folder has another name."""
    claim_store(url, tmp_path / "here", shared=False)
    note_filled(url, "print-1")
    assert claim_store(url, tmp_path / "there", shared=False) == "print-1"


@pytest.mark.parametrize(
    "url", ["redis://:secret@127.0.0.1:1/0", "redis://127.0.0.1/main", "http://127.0.0.1"]
)
def test_a_store_that_can_not_be_used_is_named(url, tmp_path):
    """The error says which store and why, without its password."""
    with pytest.raises(OnlineStoreError, match=r"the online store at 127\.0\.0\.1.* can't be used") as caught:
        claim_store(url, tmp_path, shared=True)
    assert "secret" not in str(caught.value)
