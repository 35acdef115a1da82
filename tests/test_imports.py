"""Dependencies between the packages point one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("feature_repo", "serving", "training", "keepgrow", "loadtests", "benchmarks")
ALLOWED = {
    "feature_repo": ("feature_repo",),
    "serving": ("serving", "feature_repo.contract", "feature_repo.errors"),
    "training": ("training", "feature_repo", "serving.bundle.manifest"),
    "keepgrow": ("keepgrow", "feature_repo", "serving", "training"),
    "loadtests": ("loadtests",),
    "benchmarks": ("benchmarks", "training", "feature_repo"),
}


def imported_modules(path: Path) -> list[tuple[int, str]]:
    """Return (line, absolute module) of every import statement in the file, also those inside functions."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found += [(node.lineno, node.module or "")]
    return found


def within(module: str, allowed: str) -> bool:
    """Return whether *module* is *allowed* or lies below it."""
    return module == allowed or module.startswith(allowed + ".")


def breaches(package: str, files: list[Path]) -> list[str]:
    """Return a line for every import in *files* that *package* may not make."""
    return [
        f"{path}:{line} imports {module}"
        for path in files
        for line, module in imported_modules(path)
        if module.split(".")[0] in OURS and not any(within(module, entry) for entry in ALLOWED[package])
    ]


@pytest.mark.parametrize("package", OURS)
def test_a_package_imports_only_what_it_may(package):
    """No module imports one of our packages that stands to its right in the design."""
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert breaches(package, files) == []


def test_a_wrong_import_is_found(tmp_path):
    """The check sees an import inside a function and one of a submodule."""
    path = tmp_path / "wrong.py"
    path.write_text("def f():\n    from training.labels import x\nimport feature_repo.pipeline.build\n")
    assert len(breaches("serving", [path])) == 2


def test_serving_never_names_feast():
    """No serving module imports Feast, not even inside a function."""
    wrong = [
        f"{path}:{line}"
        for path in (ROOT / "serving").rglob("*.py")
        for line, module in imported_modules(path)
        if within(module, "feast")
    ]
    assert wrong == []
