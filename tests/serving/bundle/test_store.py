"""Bundles are found by tag in BentoML's folders, without BentoML."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from serving.bundle.store import default_store, describe_bundle, find_bundle, has_champion, list_bundles
from serving.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path


def copy_with_version(path: Path, version: str, created: str) -> Path:
    """Copy the bundle at *path* as another version, saved at *created*."""
    target = path.parent / version
    shutil.copytree(path, target)
    file = target / "model.yaml"
    lines = [
        f"version: {version}"
        if line.startswith("version:")
        else f"creation_time: '{created}'"
        if line.startswith("creation_time:")
        else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines))
    return target


@pytest.fixture
def own_store(store: Path, tmp_path: Path) -> Path:
    """Return a copy of the store that a test may change."""
    shutil.copytree(store, tmp_path / "models")
    return tmp_path / "models"


def test_latest_version_and_prefix_name_the_same_bundle(store: Path) -> None:
    """`name` while none was promoted, `name:latest`, `name:version` and the version's beginning lead to one folder."""
    path = find_bundle("keepgrow", store)
    assert path == find_bundle("keepgrow:latest", store)
    assert path == find_bundle(f"keepgrow:{path.name}", store)
    assert path == find_bundle(f"keepgrow:{path.name[:6]}", store)


def test_a_name_alone_is_the_champion_if_there_is_one(own_store: Path) -> None:
    """A newer bundle that was not promoted is not meant by the name alone; a champion that is gone is an error."""
    path = find_bundle("keepgrow", own_store)
    newer = copy_with_version(path, "aaaa", "2099-01-01T00:00:00+00:00")
    (path.parent / "latest").write_text(newer.name)
    assert not has_champion(own_store)
    assert find_bundle("keepgrow", own_store) == newer
    (path.parent / "champion").write_text(path.name)
    assert has_champion(own_store)
    assert find_bundle("keepgrow", own_store) == path
    assert find_bundle("keepgrow:latest", own_store) == newer
    (path.parent / "champion").write_text("gone")
    with pytest.raises(BundleError, match="keepgrow:gone is no longer"):
        find_bundle("keepgrow", own_store)


def test_latest_follows_the_file_and_without_it_the_newest(own_store: Path) -> None:
    """`latest` is what the file says; if that is gone or names nothing, the bundle that was saved last."""
    path = find_bundle("keepgrow", own_store)
    newer = copy_with_version(path, "aaaa", "2099-01-01T00:00:00+00:00")
    assert find_bundle("keepgrow:latest", own_store) == path
    (path.parent / "latest").write_text("gone")
    assert find_bundle("keepgrow:latest", own_store) == newer
    (path.parent / "latest").unlink()
    assert find_bundle("keepgrow:latest", own_store) == newer
    assert [bundle.path for bundle in list_bundles(own_store)] == [newer, path]


def test_a_half_made_folder_is_no_bundle(own_store: Path) -> None:
    """A folder without manifest is neither listed nor found."""
    path = find_bundle("keepgrow", own_store)
    half = copy_with_version(path, "half", "2099-01-01T00:00:00+00:00")
    (half / "manifest.json").unlink()
    assert [bundle.path for bundle in list_bundles(own_store)] == [path]
    with pytest.raises(BundleError, match="keepgrow:half"):
        find_bundle("keepgrow:half", own_store)


def test_an_ambiguous_prefix_names_its_candidates(own_store: Path) -> None:
    """A prefix of two versions is refused with both."""
    path = find_bundle("keepgrow", own_store)
    for version in ("zz1", "zz2"):
        copy_with_version(path, version, "2020-01-01T00:00:00+00:00")
    with pytest.raises(BundleError, match="zz1, zz2"):
        find_bundle("keepgrow:zz", own_store)


@pytest.mark.parametrize(
    "tag", ["", "keepgrow:", "../etc", "keepgrow:../x", "Keepgrow", "a:b:c", "keepgrow:/tmp"]
)
def test_what_is_no_tag_is_refused(store: Path, tag: str) -> None:
    """A malformed tag, or one that would leave the store, is refused as such."""
    with pytest.raises(BundleError, match="is not a model tag"):
        find_bundle(tag, store)


def test_an_empty_or_missing_store_says_so(tmp_path: Path) -> None:
    """Nothing there is said as such, and lists as nothing."""
    with pytest.raises(BundleError, match="holds no bundle 'keepgrow'"):
        find_bundle("keepgrow:latest", tmp_path / "none")
    with pytest.raises(BundleError, match="versions of 'keepgrow' there: none"):
        find_bundle("keepgrow:abc", tmp_path)
    assert list_bundles(tmp_path / "none") == ()


def test_a_damaged_description_is_named(own_store: Path) -> None:
    """A `model.yaml` that BentoML did not write so is an error with its path."""
    path = find_bundle("keepgrow", own_store)
    (path / "model.yaml").write_text("- nothing")
    with pytest.raises(BundleError, match=r"model\.yaml"):
        describe_bundle(path)


def test_the_default_store_is_bentomls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`BENTOML_HOME` moves the store, with variables and ~ expanded."""
    monkeypatch.setenv("SOMEWHERE", str(tmp_path))
    monkeypatch.setenv("BENTOML_HOME", "$SOMEWHERE/home")
    assert default_store() == tmp_path / "home" / "models"
    monkeypatch.delenv("BENTOML_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_store() == tmp_path / "bentoml" / "models"


def test_loading_and_scoring_import_neither_bentoml_nor_training(store: Path) -> None:
    """Finding, loading and scoring a bundle stays free of BentoML, Feast, LightGBM and onnx."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import serving.scoring.engine\n"
        "from serving.bundle.loader import load_bundle\n"
        "from serving.bundle.store import find_bundle\n"
        f"load_bundle(find_bundle('keepgrow', Path({str(store)!r}))).warm_up()\n"
        "print([name for name in ('bentoml', 'feast', 'lightgbm', 'onnx', 'training', 'pandas') if name in "
        "sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
