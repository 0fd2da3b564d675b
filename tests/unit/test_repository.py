"""Rules of the house that hold for every file in git."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# put together here, so that this file passes its own test
FOLDERS = "|".join(["work", "root", "home", "opt", "tmp", "Users"])
MACHINE = re.compile(rf"(?<![\w.<>}}-])/({FOLDERS})/[\w.]")
HOSTS = {
    "pypi": "org",
    "pythonhosted": "org",
    "anaconda": "(org|com)",
    "npmjs": "(org|com)",
    "crates": "io",
    "docker": "io",
    "ghcr": "io",
    "quay": "io",
    "deb.debian": "org",
    "security.debian": "org",
    "archive.ubuntu": "com",
    "security.ubuntu": "com",
}
REGISTRY = re.compile("|".join(rf"\b{re.escape(host)}\.{end}\b" for host, end in HOSTS.items()))


@cache
def tracked() -> list[str]:
    """Names of the files that git holds and the folder has."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    return [name for name in done.stdout.decode("utf-8").split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture
def files() -> list[str]:
    """The tracked files; a test that asks for them is left out where there is no git."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    assert tracked(), "git holds no file"
    return tracked()


def text_of(name: str) -> str | None:
    """Text of a file, None if it is binary."""
    content = (ROOT / name).read_bytes()
    return None if b"\0" in content else content.decode("utf-8", "replace")


def lines_with(pattern: re.Pattern[str], names: list[str]) -> list[str]:
    """``file:line text`` of every line that the pattern finds."""
    return [
        f"{name}:{number} {line.strip()[:100]}"
        for name in names
        for number, line in enumerate((text_of(name) or "").splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "cd /work" + "/main",
        "'/home" + "/me/x'",
        "=/root" + "/.cache",
        "https://files.python" + "hosted.org/x",
        "x @ https://py" + "pi.org/simple",
        "deb http://deb.deb" + "ian.org/debian stable main",
    ],
)
def test_the_patterns_find_what_they_are_for(line: str) -> None:
    assert MACHINE.search(line) or REGISTRY.search(line)


@pytest.mark.parametrize("line", ["the work/home balance", "../work/x", "<results>/work/x", "see pypi"])
def test_the_patterns_leave_the_rest_alone(line: str) -> None:
    assert not MACHINE.search(line)
    assert not REGISTRY.search(line)


def test_no_file_names_a_path_of_a_machine(files: list[str]) -> None:
    assert lines_with(MACHINE, files) == []


def test_no_file_names_a_package_registry(files: list[str]) -> None:
    assert lines_with(REGISTRY, files) == []


def test_modules_are_short(files: list[str]) -> None:
    modules = [name for name in files if name.startswith("workflow/scripts/") and name.endswith(".py")]
    assert modules
    lengths = {name: len((text_of(name) or "").splitlines()) for name in modules}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_package_init_files_are_empty(files: list[str]) -> None:
    inits = [name for name in files if name.startswith("workflow/") and name.endswith("__init__.py")]
    assert inits
    # the package's own sets how often jobs search for cycles, before anything else is imported
    assert [name for name in inits if (ROOT / name).stat().st_size] == ["workflow/scripts/trialpipe/__init__.py"]


def test_no_trial_is_named_in_code_or_template(files: list[str]) -> None:
    trials = sorted({name.split("/")[2] for name in files if name.startswith("config/trials/") and name.count("/") > 2})
    assert trials
    pattern = re.compile("|".join(re.escape(trial) for trial in trials), re.IGNORECASE)
    endings = (".py", ".smk", ".html", ".j2", ".jinja", ".jinja2", ".css", ".js", ".svg", ".md")
    names = [name for name in files if name == "Snakefile" or (name.startswith("workflow/") and name.endswith(endings))]
    assert lines_with(pattern, names) == []


def test_rules_run_scripts_not_inline_code(files: list[str]) -> None:
    rules = [name for name in files if name == "Snakefile" or name.endswith(".smk")]
    assert rules
    assert lines_with(re.compile(r"^\s*run\s*:"), rules) == []
