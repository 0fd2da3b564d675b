"""Identity of code: a hash of every module that a job can reach.

Snakemake notices neither a changed library module nor a changed package version, so each job carries this in
its params. A module's hash is over its syntax tree without docstrings; comments and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGE = "trialpipe"
LIBRARY = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = {
    "jinja2": "jinja2",
    "lifelines": "lifelines",
    "numpy": "numpy",
    "openpyxl": "openpyxl",
    "pandas": "pandas",
    "plotnine": "plotnine",
    "pyarrow": "pyarrow",
    "pyreadstat": "pyreadstat",
    "pydantic": "pydantic",
    "scipy": "scipy",
    "yaml": "pyyaml",
}


def fingerprint(adapter: Path, roots: tuple[str, ...]) -> dict[str, str]:
    """Hash of the adapter and of each module in the import closure of ``roots`` and of the adapter.

    Returns ``{name: 16 hex digits}`` plus ``python`` and the version of each third-party package imported
    anywhere in the closure, sorted by name. Raises FileNotFoundError for a root that does not exist.
    """
    own, other, digest = _adapter(adapter)
    modules = closure(tuple(sorted({*roots, *own})))
    packages = set(other)
    result = {"adapter": digest}
    for name in modules:
        result[name] = module_hash(name)
        packages |= set(_module_imports(name)[1])
    for package in sorted(packages & set(DISTRIBUTIONS)):
        result[package] = _version(DISTRIBUTIONS[package])
    result["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    return dict(sorted(result.items()))


@cache
def closure(roots: tuple[str, ...]) -> tuple[str, ...]:
    """Every first-party module reachable from ``roots`` by import statements, also those inside functions."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _module_imports(name)[0]
    return tuple(sorted(seen))


@cache
def module_hash(name: str) -> str:
    """16 hex digits over a module's syntax tree without docstrings."""
    return _digest(_tree(name))


@cache
def dispatch_table(module: str, name: str) -> dict[str, str]:
    """The literal table ``name = {...}`` of a module, read without importing it; KeyError if there is none."""
    for node in _tree(module).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = getattr(node, "value", None)
        if value is not None and any(isinstance(t, ast.Name) and t.id == name for t in targets):
            return ast.literal_eval(value)
    raise KeyError(f"{module} has no table {name}")


@cache
def referenced_tables(module: str) -> tuple[str, ...]:
    """Names of reference tables (text constants ending in .csv or .yaml) that stand in a module."""
    found = {
        node.value
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith((".csv", ".yaml"))
    }
    return tuple(sorted(found))


def _path(module: str) -> Path:
    base = LIBRARY.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text(encoding="utf-8"))


@cache
def _adapter(path: Path) -> tuple[list[str], list[str], str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return *_imports(tree), _digest(tree)


@cache
def _module_imports(module: str) -> tuple[list[str], list[str]]:
    return _imports(_tree(module))


@cache
def _version(distribution: str) -> str:
    return metadata.version(distribution)


def _imports(tree: ast.Module) -> tuple[list[str], list[str]]:
    """(first-party modules, top-level names of other packages) a syntax tree imports."""
    own: set[str] = set()
    other: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if _is_module(name) else node.module for name in submodules]
        else:
            continue
        own.update(name for name in names if name.split(".")[0] == PACKAGE)
        other.update(name.split(".")[0] for name in names if name.split(".")[0] != PACKAGE)
    return sorted(own), sorted(other)


@cache
def _is_module(name: str) -> bool:
    return name.startswith(f"{PACKAGE}.") and _path(name).exists()


def _digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]
