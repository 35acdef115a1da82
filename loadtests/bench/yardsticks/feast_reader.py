"""Reads 500 accounts by Feast's SDK, again and again, and says how long each reading took.

Run as a program: `feast_reader ACCOUNTS_FILE SEED`. It prints `ready` once it is connected and warm; for each
line on standard input, which holds a number of readings, it prints their seconds as a JSON list.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path

from feast import FeatureStore

from loadtests.bench.workload import ACCOUNTS_AT_ONCE, FEATURE_SERVICE


def main(accounts_file: str, seed: int) -> None:
    """Read as often as each line of standard input says."""
    accounts = Path(accounts_file).read_text(encoding="utf-8").split()
    store = FeatureStore(repo_path=os.environ["BENCH_FEAST_REPO"])
    features = store.get_feature_service(FEATURE_SERVICE)
    draw = random.Random(seed)

    def read() -> float:
        rows = [{"account_id": account} for account in draw.sample(accounts, ACCOUNTS_AT_ONCE)]
        start = time.perf_counter()
        response = store.get_online_features(features=features, entity_rows=rows)
        seconds = time.perf_counter() - start
        assert len(response.proto.results[0].values) == ACCOUNTS_AT_ONCE
        return seconds

    read()
    print("ready", flush=True)  # noqa: T201 - the protocol with whoever started this
    for line in sys.stdin:
        print(json.dumps([read() for _ in range(int(line))]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
