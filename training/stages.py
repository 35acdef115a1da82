"""The stages of a training, one after another: how long each took, and what came of it kept for the next attempt.

What a kept stage gives is always what was read back from its file, also in the attempt that made it: an interrupted
training and one in a single go therefore continue from the same objects, and give the same bundle. LightGBM's boosters
pass through as their texts, without the loss of a bit. Beginning to keep stages of one training deletes those of every
other that is not running, so that the folder holds no more than one training left behind.

Why not `joblib.Memory`: it would digest hundreds of megabytes of arguments before each stage, looks at the code of the
decorated function alone and not at what that calls, and knows no end of what it keeps but a size.
"""

from __future__ import annotations

import pickle
import resource
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from serving.bundle.manifest import StageCost, TrainingCost
from training.stage_folder import DAMAGED, KeptStage, StageFolder, clear

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Result = TypeVar("Result")


def peak_memory() -> int:
    """Return the most memory that this process has held so far, in bytes (resident set)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def _silent(_: str) -> None:
    return


@dataclass(slots=True)
class Stages:
    """Runs stages, keeps them if it was given a folder, and says what they cost; several threads may run stages.

    Attributes:
        root: Where stages are kept, or None to keep nothing.
        progress: Called with a sentence for each stage that need not be made again.
        clock: Returns seconds.
    """

    root: Path | None = None
    progress: Callable[[str], None] = _silent
    clock: Callable[[], float] = time.perf_counter
    _kept: StageFolder | None = field(default=None, init=False)
    _context: str = field(default="", init=False)
    _done: list[StageCost] = field(default_factory=list, init=False)
    _peak: int = field(default=0, init=False)
    _began: float = field(default=0.0, init=False)
    _processor_began: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._processor_began = time.process_time()

    def begin(self, key: str) -> None:
        """Keep stages from now on under *key*, if there is a folder to keep them in and nobody else is at it."""
        if self.root is None:
            return
        folder = StageFolder(self.root, key)
        if folder.take():
            self._kept = folder
        else:
            self.progress(
                f"{folder.path} is in use by the same training in another process, or others may write to it; "
                "this one keeps nothing"
            )

    def within(self, context: str) -> None:
        """Let stages from now on depend on *context* too."""
        self._context = context

    @property
    def folder(self) -> Path | None:
        """The folder of this training, for what a stage keeps itself; None where nothing is kept."""
        return None if self._kept is None else self._kept.path

    def run(self, name: str, make: Callable[[], Result]) -> Result:
        """Return what *make* returns, or what it returned in an earlier attempt that was interrupted.

        Args:
            name: What the stage is called; each of a training has another name.
            make: Makes the result, a value that can be pickled where stages are kept.
        """
        if self._kept is None:
            result, seconds = self._timed(make)
            self._done.append(StageCost(name=name, seconds=seconds))
            return result
        stage = f"{self._context}\0{name}"
        kept = self._kept.read(stage)
        if kept is not None:
            try:
                found: Result = pickle.loads(kept.result)  # noqa: S301 - the owner's own file
            except DAMAGED:
                self.progress(f"{name}: what was kept can't be read, so it is made anew")
            else:
                self.progress(f"{name}: kept from before")
                self._done.append(StageCost(name=name, seconds=kept.seconds, kept=True))
                self._peak = max(self._peak, kept.peak_memory_bytes)
                return found
        result, seconds = self._timed(make)
        self._done.append(StageCost(name=name, seconds=seconds))
        content = pickle.dumps(result, protocol=5)
        try:
            self._kept.write(stage, KeptStage(seconds, peak_memory(), content))
        except OSError as error:
            self.progress(f"{name}: can't be kept for another attempt: {error}")
        read_back: Result = pickle.loads(content)  # noqa: S301 - made two lines above
        return read_back

    def cost(self) -> TrainingCost:
        """Return what this attempt took so far, and each stage, those included that earlier attempts made."""
        return TrainingCost(
            seconds=round(self.clock() - self._began, 3),
            processor_seconds=round(time.process_time() - self._processor_began, 3),
            peak_memory_bytes=max(self._peak, peak_memory()),
            stages=tuple(self._done),
        )

    def finish(self) -> None:
        """Delete what was kept: the bundle is stored."""
        if self._kept is not None:
            self._kept.drop()
            self._kept = None

    def start_anew(self) -> None:
        """Delete what killed trainings left behind, this one's included; before `begin`."""
        if self.root is not None:
            clear(self.root)

    def _timed(self, make: Callable[[], Result]) -> tuple[Result, float]:
        began = self.clock()
        result = make()
        return result, round(self.clock() - began, 3)


def with_stage(cost: TrainingCost, name: str, seconds: float, processor_seconds: float) -> TrainingCost:
    """Return *cost* with one more stage at its end, made by this process right after it.

    Args:
        cost: What came before.
        name: Of the stage.
        seconds: What it took by the clock.
        processor_seconds: What it took of processor time.
    """
    return TrainingCost(
        seconds=round(cost.seconds + seconds, 3),
        processor_seconds=round(cost.processor_seconds + processor_seconds, 3),
        peak_memory_bytes=max(cost.peak_memory_bytes, peak_memory()),
        stages=(*cost.stages, StageCost(name=name, seconds=round(seconds, 3))),
    )
