"""A configured trial: its typed files and the lock of its extracts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydantic import BaseModel

from trialpipe.config.characteristics import Characteristics, faults
from trialpipe.config.consistency import check_trial
from trialpipe.config.errors import ConfigError, validate
from trialpipe.config.estimands import with_intercurrent
from trialpipe.config.extracts import Extracts, Form, Source
from trialpipe.config.outcomes import Outcome, Outcomes
from trialpipe.config.protocol import Protocol
from trialpipe.config.yaml_strict import load

LOCK = "extracts.lock"
SCENARIOS = "characteristics.yaml"
PATTERN = re.compile(r"[*?\[]")


class Locked(NamedTuple):
    """What ``make accept`` recorded of a raw file."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Trial:
    """Everything configured about one trial. Paths are relative to the working directory or absolute."""

    id: str
    folder: Path
    protocol: Protocol
    extracts: Extracts
    outcomes: tuple[Outcome, ...]
    lock: dict[str, Locked]
    root: Path
    characteristics: Characteristics | None = None

    def form(self, form_id: str) -> tuple[Source, Form]:
        """Source and form of ``<source>.<form>``; KeyError if there is none."""
        for source in self.extracts.sources:
            for form in source.forms:
                if f"{source.id}.{form.id}" == form_id:
                    return source, form
        raise KeyError(form_id)


def load_trial(trials: Path, trial: str, data_root: str = ".") -> Trial:
    """Read ``<trials>/<trial>/*.yaml`` and its lock.

    ``data_root`` is the folder that ``extracts.root`` is relative to. Raises ConfigError whose text has one line
    per fault, each with file, line, key and cure.
    """
    folder = trials / trial
    if not folder.is_dir():
        raise ConfigError(
            f"{folder.as_posix()}: no such trial; the folder must hold protocol.yaml, extracts.yaml, outcomes.yaml"
        )
    documents = {name: load(folder / f"{name}.yaml") for name in ("protocol", "extracts", "outcomes")}
    shown = {name: (folder / f"{name}.yaml").as_posix() for name in documents}
    protocol = validate(documents["protocol"], Protocol, shown["protocol"])
    extracts = validate(documents["extracts"], Extracts, shown["extracts"])
    outcomes = validate(documents["outcomes"], Outcomes, shown["outcomes"])
    if protocol.trial != trial:
        raise ConfigError(f"{shown['protocol']}: trial: '{protocol.trial}' is not the folder's name '{trial}'")
    check_trial(protocol, extracts, outcomes, documents)
    protocol = with_intercurrent(protocol)
    lock, root = read_lock(folder / LOCK), Path(data_root) / extracts.root
    scenarios = read_scenarios(folder / SCENARIOS, protocol, outcomes.outcomes)
    return Trial(trial, folder, protocol, with_files(extracts, root, lock), outcomes.outcomes, lock, root, scenarios)


def read_scenarios(path: Path, protocol: Protocol, outcomes: tuple[Outcome, ...]) -> Characteristics | None:
    """``characteristics.yaml``; None where a trial has none. ConfigError also for what does not fit the trial."""
    if not path.is_file():
        return None
    found = validate(load(path), Characteristics, path.as_posix())
    wrong = faults(found, protocol, outcomes, path.as_posix())
    if wrong:
        raise ConfigError(wrong)
    return found


def with_files(extracts: Extracts, root: Path, lock: dict[str, Locked]) -> Extracts:
    """``files`` with the patterns among them (``*``, ``?``, ``[...]``) replaced by the files they stand for, sorted.

    An accepted file that is gone is among them, so that it is missed; a pattern without any file stays as it is.
    """

    def files(form: Form) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for name in form.files:
            if PATTERN.search(name):
                here = {path.relative_to(root).as_posix() for path in root.glob(name) if path.is_file()}
                gone = {other for other in lock if PurePosixPath(other).match(name)}
                found |= dict.fromkeys(sorted(here | gone) or [name])
            else:
                found[name] = None
        return tuple(found)

    def forms(source: Source) -> tuple[Form, ...]:
        return tuple(form.model_copy(update={"files": files(form)}) for form in source.forms)

    sources = tuple(source.model_copy(update={"forms": forms(source)}) for source in extracts.sources)
    return extracts.model_copy(update={"sources": sources})


def read_lock(path: Path) -> dict[str, Locked]:
    """Lines ``sha256  size  path``; an absent lock is empty. Raises ConfigError on a malformed line."""
    if not path.exists():
        return {}
    entries: dict[str, Locked] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.split("  ", 2)
        if len(parts) != 3 or len(parts[0]) != 64 or not parts[1].isdigit():
            raise ConfigError(f"{path.as_posix()}:{number} not a lock line; write the file with make accept")
        entries[parts[2]] = Locked(parts[0], int(parts[1]))
    return entries


def write_lock(path: Path, entries: dict[str, Locked]) -> None:
    """Write the lock, sorted by path."""
    lines = [f"{entry.sha256}  {entry.size}  {name}\n" for name, entry in sorted(entries.items())]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def as_json(value: BaseModel | tuple[BaseModel, ...] | dict | list) -> str:
    """Canonical JSON of a part of the configuration: what a job's params hold."""

    def plain(item: object) -> object:
        if isinstance(item, BaseModel):
            return item.model_dump(mode="json")
        if isinstance(item, dict):
            return {str(k): plain(v) for k, v in item.items()}
        if isinstance(item, (list, tuple)):
            return [plain(v) for v in item]
        return item

    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
