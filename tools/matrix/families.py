"""The families of data sets and their statistics."""

from __future__ import annotations

from matrix import designs, mixed, samples, states, survival, tables
from matrix.run import Family

FAMILIES = (
    Family("Times to events", survival.draw, survival.STATISTICS, "survival.R"),
    Family("States", states.draw, states.STATISTICS, "states.R"),
    Family("Proportions, rates and tables", tables.draw, tables.STATISTICS, "tables.R"),
    Family("Two-stage designs", designs.draw, designs.STATISTICS, designs.oracle),
    Family("Measurements", samples.draw, samples.STATISTICS, "samples.R"),
    Family("Repeated measures", mixed.draw, mixed.STATISTICS, "mixed.R"),
)
