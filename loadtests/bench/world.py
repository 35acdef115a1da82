"""The data of a benchmark, made by the product's own commands and kept: a world, its bundle, 10,000 accounts.

The world is smaller than 10,000 accounts, so that it is made in minutes: its last day is repeated under other
ids until there are as many. Values are therefore what the pipeline makes,
and the model is what training makes.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from loadtests.bench.servers import ROOT, Setting, program
from loadtests.bench.valkey import Valkey, running_valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORLD: Final = ("--accounts", "1000", "--days", "480", "--seed", "7")
_BENTO_FILE: Final = "bentofile.yaml"
_FEAST_REPO: Final = """\
# As a Feast user writes it: the registry that `keepgrow apply` filled, and the same Redis.
project: keepgrow
provider: local
registry:
  path: {registry}
  serve_features_while_materializing: true
offline_store:
  type: duckdb
online_store:
  type: redis
  connection_string: {address},db=0
entity_key_serialization_version: 3
"""


@dataclass(frozen=True, slots=True)
class World:
    """The folder that holds it all.

    Attributes:
        folder: Where.
        accounts: Number of accounts in the online store.
        tell: Called with a line a step.
    """

    folder: Path
    accounts: int
    tell: Callable[[str], None]

    @contextmanager
    def setting(self) -> Iterator[tuple[Setting, Valkey]]:
        """Make what is missing or out of date, and yield it with the online store running."""
        self.folder.mkdir(parents=True, exist_ok=True)
        feature_code, training_code = _digest("feature_repo"), _digest("training", "serving/bundle")
        self._step("raw", repr(WORLD), lambda: self._keepgrow("synth", *WORLD, "--force", self._at("raw")))
        self._step(
            "features",
            feature_code,
            lambda: self._keepgrow("features", "build", self._at("raw"), self._at("features")),
        )
        self._step("model", feature_code + training_code, self._train)
        self._step("online", f"{feature_code} {training_code} {self.accounts}", self._tile)
        model = self._path("model-tag.txt").read_text(encoding="utf-8").strip()
        self._step("bento", model + _digest("serving", _BENTO_FILE), lambda: self._build_bento(model))
        bento = self._path("bento-tag.txt").read_text(encoding="utf-8").strip()
        end = self._path("as-of.txt").read_text(encoding="utf-8").strip()
        with running_valkey(self._path("valkey")) as valkey:
            stored = f"{feature_code} {self.accounts} {valkey.keys() >= self.accounts}"
            self._step("materialized", stored, lambda: self._materialize(valkey, end))
            self._note("materialized", f"{feature_code} {self.accounts} True")
            repo = self._path("feast_repo")
            repo.mkdir(exist_ok=True)
            text = _FEAST_REPO.format(registry=self._at("online.db"), address=f"127.0.0.1:{valkey.port}")
            (repo / "feature_store.yaml").write_text(text, encoding="utf-8")
            yield (
                Setting(
                    redis_url=valkey.url,
                    bundle=self._manifest().parent,
                    model=model,
                    bento=bento,
                    bentoml_home=self._path("bentoml"),
                    feast_repo=repo,
                    accounts_file=self._path("account-ids.txt"),
                    clock_start=end,
                    logs=self._path("logs"),
                ),
                valkey,
            )

    def _path(self, name: str) -> Path:
        return self.folder.resolve() / name

    def _at(self, name: str) -> str:
        return str(self._path(name))

    def _step(self, name: str, made_from: str, make: Callable[[], None]) -> None:
        noted = self._path("steps") / name
        if noted.exists() and noted.read_text(encoding="utf-8") == made_from:
            return
        self.tell(f"making {name}")
        make()
        self._note(name, made_from)

    def _note(self, name: str, made_from: str) -> None:
        folder = self._path("steps")
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(made_from, encoding="utf-8")

    def _environment(self, **more: str) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("KEEPGROW_", "BENTOML_"))
        }
        return kept | {
            "PYTHONPATH": str(ROOT),
            "BENTOML_HOME": self._at("bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
            "KEEPGROW_FEATURES_DIR": self._at("features"),
            "KEEPGROW_REGISTRY": self._at("history.db"),
            **more,
        }

    def _run(self, command: list[str], **more: str) -> None:
        log = self._path("preparation.log")
        with log.open("ab") as out:
            done = subprocess.run(  # noqa: S603 - our own commands
                command,
                env=self._environment(**more),
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}; see {log}")

    def _keepgrow(self, *words: str, **more: str) -> None:
        self._run([sys.executable, "-m", "keepgrow", *words], **more)

    def _manifest(self) -> Path:
        name, _, version = self._path("model-tag.txt").read_text(encoding="utf-8").strip().partition(":")
        return self._path("bentoml") / "models" / name / version / "manifest.json"

    def _train(self) -> None:
        self._keepgrow("apply")
        self._keepgrow("train", self._at("raw"), "--tag-file", self._at("model-tag.txt"))

    def _build_bento(self, model: str) -> None:
        tag = self._path("bento-tag.txt")
        self._run(
            [program("bentoml"), "build", "-f", _BENTO_FILE, "-o", "tag", str(ROOT)], KEEPGROW_MODEL=model
        )
        folder = self._path("bentoml") / "bentos" / "keepgrow"
        version = (folder / "latest").read_text(encoding="utf-8").strip()
        tag.write_text(f"keepgrow:{version}\n", encoding="utf-8")

    def _materialize(self, valkey: Valkey, end: str) -> None:
        self._keepgrow(
            "materialize", "--apply", end,
            REDIS_URL=valkey.url,
            KEEPGROW_FEATURES_DIR=self._at("online"),
            KEEPGROW_REGISTRY=self._at("online.db"),
        )  # fmt: skip

    def _tile(self) -> None:
        """Write the last day of every view, under as many ids as there shall be accounts."""
        views = [
            view["name"]
            for view in json.loads(self._manifest().read_text(encoding="utf-8"))["contract"]["views"]
        ]
        last = {view: _last_day(self._path("features") / view) for view in views}
        common = sorted(set.intersection(*(set(table["account_id"].to_pylist()) for table in last.values())))
        width = len(str(self.accounts))
        ids = [f"bench-{number:0{width}d}" for number in range(1, self.accounts + 1)]
        for view, table in last.items():
            order = pc.index_in(pa.array(common), value_set=table["account_id"].combine_chunks())
            rows = table.take(order).take(pa.array([number % len(common) for number in range(self.accounts)]))
            column = table.schema.get_field_index("account_id")
            rows = rows.set_column(
                column, table.schema.field(column), pa.array(ids, table.schema.field(column).type)
            )
            end = rows["event_timestamp"][0].as_py()
            file = self._path("online") / view / f"{end - timedelta(days=1):%Y-%m}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, file)
            self._path("as-of.txt").write_text(f"{end.isoformat()}\n", encoding="utf-8")
        self._path("account-ids.txt").write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")


def _last_day(folder: Path) -> pa.Table:
    newest = max(folder.glob("*.parquet"))
    table = ds.dataset(newest, format="parquet").to_table()
    return table.filter(pc.equal(table["event_timestamp"], pc.max(table["event_timestamp"])))


def _digest(*places: str) -> str:
    """Return a digest of the sources in some folders or files of the repository."""
    digest = hashlib.sha256()
    for place in places:
        path = ROOT / place
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.suffix in {".py", ".yaml", ".html"}:
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
