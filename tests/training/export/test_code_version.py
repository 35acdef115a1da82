"""The code's version tells every source that decides what a bundle is, and none that only serves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import training
from training.export.code_version import code_version, library_versions, sources

ROOT = Path(training.__file__).parent.parent


@pytest.fixture(scope="module")
def named():
    """The sources by their path from the root."""
    return {file.relative_to(ROOT).as_posix() for file in sources(ROOT)}


@pytest.mark.parametrize(
    "path",
    [
        "training/train.py",
        "training/definitions.yaml",
        "training/card/card.html.j2",
        "feature_repo/contract.py",
        "serving/bundle/manifest/__init__.py",
        "serving/bundle/manifest/effects.py",
        "keepgrow/train.py",
        "keepgrow/train_priors.py",
        "serving/decisions/catalogue/reading.py",
    ],
)
def test_what_a_bundle_depends_on_is_a_source(named, path):
    """Modules, definitions and templates of training, the command, and what that reads priors by."""
    assert path in named


def test_what_only_serves_is_no_source(named):
    """A change of the service or of another command leaves the version as it is."""
    assert not {
        path for path in named if path.startswith(("serving/api/", "serving/ledger/", "serving/scoring/"))
    }
    assert {path for path in named if path.startswith("keepgrow/")} == {
        "keepgrow/__init__.py", "keepgrow/train.py", "keepgrow/train_priors.py",
    }  # fmt: skip


def test_imports_are_followed_from_module_to_module(tmp_path):
    """What the command imports in a function, and what that imports, are sources; what nobody imports is none."""
    written = {
        "training/a.py": "",
        "feature_repo/b.yaml": "",
        "feature_repo/data.parquet": "",
        "keepgrow/train.py": "def train():\n    from serving.one import thing\n",
        "serving/__init__.py": "",
        "serving/one.py": "import serving.two.three\n",
        "serving/two/__init__.py": "",
        "serving/two/three.py": "import serving.one\n",
        "serving/other.py": "",
    }
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {file.relative_to(tmp_path).as_posix() for file in sources(tmp_path)}
    assert found == set(written) - {"serving/other.py", "feature_repo/data.parquet"}


def test_the_version_changes_with_a_source(tmp_path, monkeypatch):
    """One more line in the reading of priors is another version, one more in the service is not."""
    for package in ("feature_repo", "training", "keepgrow", "serving"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("training.export.code_version._root", lambda: tmp_path)
    found = [code_version.__wrapped__()]
    for name in ("keepgrow/train_priors.py", "training/card/card.md.j2", "serving/service.py"):
        with (tmp_path / name).open("a") as file:
            file.write("\n# more\n")
        found.append(code_version.__wrapped__())
    assert len(set(found[:3])) == 3
    assert found[3] == found[2]


def test_libraries_are_named_with_python():
    """Versions of Python and of what trains, tunes and exports stand in the manifest."""
    assert {"python", "lightgbm", "numpy", "optuna", "scikit-learn", "onnx", "pandas", "scipy"} <= set(
        library_versions()
    )
