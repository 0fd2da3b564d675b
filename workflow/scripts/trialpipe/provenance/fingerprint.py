"""Identity of code: a hash of every module that a job can reach.

Snakemake notices neither a changed library module nor a changed package version, so each job carries this in
its params. A module's hash is over its syntax tree without docstrings; comments and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from dataclasses import dataclass
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


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Facts:
    """What one pass over a file's syntax tree finds.

    modules: first-party modules it imports; packages: top-level names of the others; tables: text constants ending
    in .csv or .yaml; digest: 16 hex digits over the tree without docstrings.
    """

    modules: tuple[str, ...]
    packages: tuple[str, ...]
    tables: tuple[str, ...]
    digest: str


def fingerprint(adapter: Path, roots: tuple[str, ...]) -> dict[str, str]:
    """Hash of the adapter and of each module in the import closure of ``roots`` and of the adapter.

    Returns ``{name: 16 hex digits}`` plus ``python`` and the version of each third-party package imported
    anywhere in the closure, sorted by name. Raises FileNotFoundError for a root that does not exist.
    """
    script = _facts(adapter)
    packages = set(script.packages)
    result = {"adapter": script.digest}
    for name in closure(tuple(sorted({*roots, *script.modules}))):
        module = _facts(_path(name))
        result[name] = module.digest
        packages |= set(module.packages)
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
            waiting += _facts(_path(name)).modules
    return tuple(sorted(seen))


def module_hash(name: str) -> str:
    """16 hex digits over a module's syntax tree without docstrings."""
    return _facts(_path(name)).digest


def referenced_tables(module: str) -> tuple[str, ...]:
    """Names of reference tables (text constants ending in .csv or .yaml) that stand in a module."""
    return _facts(_path(module)).tables


@cache
def dispatch_table(module: str, name: str) -> dict[str, str]:
    """The literal table ``name = {...}`` of a module, read without importing it; KeyError if there is none."""
    for node in _tree(_path(module)).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = getattr(node, "value", None)
        if value is not None and any(isinstance(t, ast.Name) and t.id == name for t in targets):
            return ast.literal_eval(value)
    raise KeyError(f"{module} has no table {name}")


def _path(module: str) -> Path:
    base = LIBRARY.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _version(distribution: str) -> str:
    return metadata.version(distribution)


@cache
def _facts(path: Path) -> Facts:
    return facts(_tree(path))


def facts(tree: ast.Module) -> Facts:
    """What a file's syntax tree holds, by one pass over it."""
    words: list[str] = []
    imported: set[str] = set()
    tables: set[str] = set()
    # one pass: starting a run reads every module of the package, and several walks of each tree cost seconds
    _visit(tree, words, imported, tables)
    own = {name for name in imported if name.split(".")[0] == PACKAGE}
    return Facts(
        modules=tuple(sorted(own)),
        packages=tuple(sorted({name.split(".")[0] for name in imported - own})),
        tables=tuple(sorted(tables)),
        digest=hashlib.sha256(" ".join(words).encode()).hexdigest()[:16],
    )


def _visit(node: ast.AST, words: list[str], imported: set[str], tables: set[str]) -> None:
    """Append the tree below ``node`` as words (class names, brackets, values), docstrings left out."""
    kind = node.__class__
    words.append(kind.__name__)
    if isinstance(node, ast.Import):
        imported.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        submodules = [f"{node.module}.{alias.name}" for alias in node.names]
        imported.update(name if _is_module(name) else node.module for name in submodules)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith((".csv", ".yaml")):
        tables.add(node.value)
    for field in kind._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            if field == "body" and isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
                value = value[1:]
            words.append("[")
            for item in value:
                if isinstance(item, ast.AST):
                    _visit(item, words, imported, tables)
                else:
                    words.append(repr(item))
            words.append("]")
        elif isinstance(value, ast.AST):
            _visit(value, words, imported, tables)
        else:
            words.append(repr(value))


@cache
def _is_module(name: str) -> bool:
    return name.startswith(f"{PACKAGE}.") and _path(name).exists()
