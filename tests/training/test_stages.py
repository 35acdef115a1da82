"""Stages run once, are kept for the attempt after a killed one, and never outlive what they depend on."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
import signal
import stat
import subprocess
import sys

import lightgbm as lgb
import numpy as np
import pytest

from training import stage_folder
from training.heads.boosting import frozen
from training.stages import Stages, peak_memory


class Made:
    """Counts how often something was made."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        """Return a value of its own each time."""
        self.times += 1
        return {"value": self.times}


def stages(root, key="key", progress=lambda _: None, context=""):
    """Return stages that are kept in *root*."""
    found = Stages(root, progress)
    found.begin(key)
    found.within(context)
    return found


def let_go(found):
    """End *found* as a killed process does: its lock is gone, its files stay."""
    found._kept._lock.close()


def test_a_kept_stage_is_not_made_again(tmp_path):
    """A second attempt gets the first one's result, says so, and counts its seconds as kept."""
    make, lines = Made(), []
    first = stages(tmp_path)
    assert first.run("one", make) == {"value": 1}
    let_go(first)
    again = stages(tmp_path, progress=lines.append)
    assert again.run("one", make) == {"value": 1}
    assert make.times == 1
    assert lines == ["one: kept from before"]
    assert [(stage.name, stage.kept) for stage in again.cost().stages] == [("one", True)]
    assert again.cost().stages[0].seconds == first.cost().stages[0].seconds


def test_without_a_folder_nothing_is_kept():
    """Every attempt makes everything."""
    make = Made()
    for _ in range(2):
        found = Stages()
        found.begin("key")
        found.run("one", make)
    assert make.times == 2
    assert found.folder is None


def test_a_stage_before_the_beginning_is_timed_and_not_kept(tmp_path):
    """What is read, before it is known what the rest depends on, is read by every attempt."""
    found = Stages(tmp_path)
    found.run("reading", Made())
    assert [stage.name for stage in found.cost().stages] == ["reading"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [{"key": "other"}, {"context": "other"}])
def test_another_key_or_context_is_another_stage(tmp_path, other):
    """What depends on something else is made anew."""
    make = Made()
    first = stages(tmp_path)
    first.run("one", make)
    let_go(first)
    assert stages(tmp_path, **other).run("one", make) == {"value": 2}


def test_beginning_deletes_what_other_trainings_left_and_nothing_else(tmp_path):
    """One folder of stages is left, and files and folders of other names stay."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "notes.txt").write_text("notes")
    for key in ("one", "two", "three"):
        found = stages(tmp_path, key)
        found.run("one", Made())
        let_go(found)
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "notes.txt", found.folder.name}


def test_a_training_that_is_running_keeps_its_stages(tmp_path):
    """Another training leaves them; the same one beside it keeps nothing and says so."""
    running, make, lines = stages(tmp_path, "one"), Made(), []
    running.run("one", make)
    stages(tmp_path, "two").finish()
    beside = stages(tmp_path, "one", lines.append)
    assert beside.run("one", make) == {"value": 2}
    assert "in use by the same training in another process" in "".join(lines)
    assert running.run("one", make) == {"value": 1}


def test_a_finished_training_leaves_no_file(tmp_path):
    """When the bundle is stored, all that was kept is gone, the folder too."""
    root = tmp_path / "training"
    found = stages(root)
    found.run("one", Made())
    assert stat.S_IMODE(root.stat().st_mode) == stat.S_IMODE(found.folder.stat().st_mode) == 0o700
    found.finish()
    assert not root.exists()


def test_starting_anew_forgets_what_was_kept(tmp_path):
    """The stage is made again."""
    make = Made()
    first = stages(tmp_path)
    first.run("one", make)
    let_go(first)
    Stages(tmp_path).start_anew()
    assert stages(tmp_path).run("one", make) == {"value": 2}


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-1], lambda content: content[:40] + b"?" + content[41:], lambda _: b""],
)
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    """A file that was cut short or changed counts for nothing."""
    make = Made()
    first = stages(tmp_path)
    first.run("one", make)
    (file,) = first.folder.glob("*.stage")
    file.write_bytes(damage(file.read_bytes()))
    let_go(first)
    again = stages(tmp_path)
    assert again.run("one", make) == {"value": 2}
    assert pickle.loads(again._kept.read("\0one").result) == {"value": 2}  # noqa: S301 - made two lines above


def test_a_process_killed_while_it_writes_leaves_whole_stages_only(tmp_path):
    """SIGKILL in the middle of the second stage's file: the first is kept, the second is made anew."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from training.stages import Stages\n"
        "found = Stages(Path(sys.argv[1]))\n"
        "found.begin('key')\n"
        "found.run('one', lambda: {'value': 0})\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "found.run('two', lambda: {'value': 0})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=False,
        capture_output=True,
        env=os.environ,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    make, found = Made(), stages(tmp_path)
    assert found.run("one", make) == {"value": 0}
    assert found.run("two", make) == {"value": 1}


def test_a_failed_stage_is_not_kept(tmp_path):
    """What a stage raises comes out, and the next attempt makes it."""
    found = stages(tmp_path)
    with pytest.raises(ZeroDivisionError):
        found.run("one", lambda: 1 / 0)
    assert found.run("one", Made()) == {"value": 1}


def test_boosters_come_back_to_the_bit(tmp_path):
    """A kept booster predicts and prints the same bits, and intervals that shared one object still do."""
    generator = np.random.default_rng(3)
    matrix = generator.normal(size=(500, 4)) * 1e6
    label = (generator.random(500) < 0.3).astype(float)
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    grown = frozen(lgb.train(params, lgb.Dataset(matrix, label), num_boost_round=30), 30)
    first = stages(tmp_path)
    made = first.run("head", lambda: (grown, grown))
    let_go(first)
    kept = stages(tmp_path).run("head", Made())
    for one, other in (made, kept):
        assert one is other
        assert one.model_to_string() == grown.model_to_string()
        assert np.array_equal(one.predict(matrix, raw_score=True), grown.predict(matrix, raw_score=True))


def test_costs_are_measured(tmp_path):
    """Seconds come from the clock; the peak of memory is of this process, or of an attempt that needed more."""
    moments = iter([0.0, 10.0, 14.5, 20.0])
    found = Stages(clock=lambda: next(moments))
    found.run("one", Made())
    cost = found.cost()
    assert (cost.seconds, cost.stages[0].seconds) == (20.0, 4.5)
    before = peak_memory()
    assert before > 10e6
    hungry = stages(tmp_path)
    hungry.run("large", lambda: float(np.ones(8_000_000).sum()))
    let_go(hungry)
    again = stages(tmp_path)
    again.run("large", Made())
    assert again.cost().peak_memory_bytes >= before
    folder = again._kept
    whole = folder.read("\0large")
    folder.write("\0large", dataclasses.replace(whole, peak_memory_bytes=10**15))
    let_go(again)
    last = stages(tmp_path)
    last.run("large", Made())
    assert last.cost().peak_memory_bytes == 10**15


def test_a_folder_that_others_may_write_to_is_not_read(tmp_path):
    """Pickles of others would run as this user: nothing is kept there, and the training goes on without."""
    first = stages(tmp_path)
    first.run("one", Made())
    let_go(first)
    first._kept.path.chmod(0o777)
    lines, make = [], Made()
    again = stages(tmp_path, progress=lines.append)
    assert again.run("one", make) == {"value": 1}
    assert make.times == 1
    assert "others may write to it" in lines[0]


def test_a_lock_on_a_deleted_folder_is_worth_nothing(tmp_path, monkeypatch):
    """If another training deletes the folder between its making and its locking, it is made and locked again."""
    real, times = stage_folder.try_lock, []

    def locked(file):
        lock = real(file)
        if not times:
            shutil.rmtree(file.parent)
        times.append(file)
        return lock

    monkeypatch.setattr(stage_folder, "try_lock", locked)
    found = stage_folder.StageFolder(tmp_path, "key")
    assert found.take()
    assert (found.path / "lock").is_file()
    assert len(times) == 2
    assert not stage_folder.StageFolder(tmp_path, "key").take()


def test_a_disk_that_is_full_does_not_end_a_training(tmp_path, monkeypatch):
    """What can't be kept is said, and the result is used all the same."""

    def full(*_):
        raise OSError(28, "No space left on device")

    lines = []
    found = stages(tmp_path, progress=lines.append)
    monkeypatch.setattr(stage_folder.StageFolder, "write", full)
    assert found.run("one", Made()) == {"value": 1}
    assert "No space left" in lines[0]
