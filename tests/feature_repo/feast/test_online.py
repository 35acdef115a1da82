"""One URL, as Feast's settings of a Redis store."""

from __future__ import annotations

import pytest
from feast.infra.online_stores.redis import RedisOnlineStore

from feature_repo.errors import OnlineStoreError
from feature_repo.online import feast_connection


def parsed(url):
    """Return the nodes and parameters that Feast reads out of the settings made for *url*."""
    settings = feast_connection(url)
    nodes, parameters = RedisOnlineStore._parse_connection_string(settings["connection_string"])
    return settings, [(node["host"], node["port"]) for node in nodes], parameters


@pytest.mark.parametrize(
    ("url", "nodes", "expected"),
    [
        ("redis://localhost", [("localhost", "6379")], {"db": 0}),
        ("redis://cache:7000/2", [("cache", "7000")], {"db": 2}),
        ("redis://:12345@cache:7000/2", [("cache", "7000")], {"db": 2, "password": "12345"}),
        (
            "redis://me:p%40ss=%22x@cache",
            [("cache", "6379")],
            {"db": 0, "username": "me", "password": 'p@ss="x'},
        ),
        ("rediss://cache:7000", [("cache", "7000")], {"db": 0, "ssl": True}),
        ("redis+cluster://a:7001,b", [("a", "7001"), ("b", "6379")], {}),
        ("redis+sentinel://a,b:26380/main/1", [("a", "26379"), ("b", "26380")], {"db": 1}),
    ],
)
def test_a_url_becomes_what_feast_reads(url, nodes, expected):
    """Hosts, ports, database, user, password and encryption arrive at Feast as the URL says."""
    _, found, parameters = parsed(url)
    assert found == nodes
    timeouts = {"socket_connect_timeout", "socket_timeout"}
    assert {name: value for name, value in parameters.items() if name not in timeouts} == expected


def test_sentinel_and_cluster_are_told_apart():
    """The scheme chooses Feast's kind of Redis, and Sentinel's master has a name."""
    assert feast_connection("redis://a")["redis_type"] == "redis"
    assert feast_connection("redis+cluster://a")["redis_type"] == "redis_cluster"
    assert feast_connection("redis+sentinel://a/main")["sentinel_master"] == "main"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://cache", "begins with 'http'"),
        ("localhost:6379", "REDIS_URL begins with"),
        ("redis://", "names no host"),
        ("redis://cache/main", "database should be a number, not 'main'"),
        ("redis://:a%2Cb@cache", "password holds a comma"),
    ],
)
def test_a_url_that_feast_cannot_use_is_refused(url, message):
    """The error says what is wrong with the URL and keeps its password to itself."""
    with pytest.raises(OnlineStoreError, match=message) as caught:
        feast_connection(url)
    assert "a,b" not in str(caught.value)
