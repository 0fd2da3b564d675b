"""Which trials this run has and where their extracts lie: config.yaml and local.yaml as a typed object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from trialpipe.config.errors import ConfigError
from trialpipe.config.trial import Trial, load_trial
from trialpipe.config.types import Id, Strict
from trialpipe.config.yaml_strict import load


class Site(Strict):
    """The keys of ``config/config.yaml``; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: Annotated[tuple[Id, ...], BeforeValidator(lambda v: v.split(",") if isinstance(v, str) else (v or ()))] = (
        Field((), description="trials to run; empty: every folder under trials_dir")
    )
    trials_dir: str = Field("config/trials", description="folder that holds a folder per trial")
    data_root: str = Field(".", description="folder that every trial's extracts.root is relative to")
    data_roots: dict[Id, str] = Field({}, description="trial id to a root of its own, e.g. {my-trial: /secure/share}")
    replicates: int | None = Field(
        None, ge=2, description="replicates of operating characteristics; empty: as each trial's file says"
    )
    pathvars: dict[str, str] = Field({}, description="where artifacts (results) and logs go")


def read_site(folder: Path = Path("config")) -> Site:
    """Site of ``config.yaml`` with ``local.yaml`` over it, for commands outside Snakemake."""
    merged: dict[str, object] = {}
    for name in ("config.yaml", "local.yaml"):
        if (folder / name).exists():
            merged.update(load(folder / name).data)
    return parse_site(merged)


def parse_site(config: Mapping[str, object]) -> Site:
    """Typed site settings; ConfigError names the first wrong key."""
    given = {key: value for key, value in config.items() if value is not None}
    try:
        return Site.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"config/config.yaml {key}: {first['msg']} - known keys: {', '.join(Site.model_fields)}"
        ) from None


def load_trials(config: Mapping[str, object]) -> dict[str, Trial]:
    """Trials of a run by id, in alphabetical order or in the order asked for."""
    site = parse_site(config)
    folder = Path(site.trials_dir)
    found = sorted(path.parent.name for path in folder.glob("*/protocol.yaml"))
    wanted = list(site.trials) or found
    if not wanted:
        raise ConfigError(f"{folder.as_posix()}: no trial is configured; a trial is a folder with protocol.yaml")
    return {name: load_trial(folder, name, site.data_roots.get(name, site.data_root)) for name in wanted}
