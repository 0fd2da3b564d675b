"""Names used in the trial files."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trialpipe.config.types import OneOrMany

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower-case name, e.g. first_dose")]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,39}$", description="SDTM/ADaM variable name")]
Domain = Annotated[str, Field(pattern=r"^[a-z]{2,4}$", description="clean domain, e.g. lb, lbcy")]
DatasetId = Annotated[str, Field(pattern=r"^ad[a-z0-9]{1,8}$", description="derived dataset, e.g. adlb")]

Names = OneOrMany[Name]
Where = dict[Variable, OneOrMany[str]]
"""Filter on a table: every named variable must hold one of its values."""
