"""Data contracts of the operating characteristics."""

from __future__ import annotations

from trialpipe.io.contracts import Column, Contract

REPLICATES = Contract(
    "replicates",
    (
        Column("scenario", "text", "Scenario", nullable=False),
        Column("replicate", "int", "Number of the replicate, from 0", nullable=False),
        Column("analysis", "text", "Analysis", nullable=False),
        Column("measure", "text", "What is read from its rows", nullable=False),
        Column("truth", "text", "Name of the true value", nullable=False),
        Column("unit", "text", "Unit of the estimate", nullable=False),
        Column("estimate", "float", "Estimate"),
        Column("std_err", "float", "Its standard error by the analysis"),
        Column("lower", "float", "Lower limit"),
        Column("upper", "float", "Upper limit"),
        Column("rejects", "float", "1 if the null hypothesis is rejected, 0 if not, null without a test"),
        Column("patients", "float", "Patients of the trial, for designs that may stop"),
        Column("stops", "float", "1 if the trial stopped after stage 1, 0 if not"),
    ),
    key=("scenario", "replicate", "analysis", "measure"),
)
FIELDS = tuple(column.name for column in REPLICATES.columns)

CHARACTERISTICS = Contract(
    "characteristics",
    (
        Column("scenario", "text", "Scenario", nullable=False),
        Column("method", "text", "exact: every possible result weighted by its probability; simulated", nullable=False),
        Column("analysis", "text", "Analysis", nullable=False),
        Column("measure", "text", "What is estimated or decided", nullable=False),
        Column("quantity", "text", "Characteristic: type I error, power, bias, coverage, ...", nullable=False),
        Column("unit", "text", "Unit", nullable=False),
        Column("truth", "float", "True value of the estimand; null where it has none"),
        Column("value", "float", "Value"),
        Column("mcse", "float", "Monte Carlo standard error; null if exact"),
        Column("replicates", "int", "Replicates; 0 if exact", nullable=False),
        Column("order", "int", "Order of the page", nullable=False),
    ),
    key=("scenario", "method", "analysis", "measure", "quantity"),
)

POOL = Contract(
    "pool",
    (
        Column("patient", "int", "Number of the patient", nullable=False),
        Column("arm", "text", "Arm whose course this is", nullable=False),
        Column("stratum", "list", "Levels of the strata", nullable=False),
        Column("event", "int", "Elapsed day of the first event; null: none until the end"),
        Column("end", "int", "Elapsed day until which the course is known", nullable=False),
    ),
    key=("patient", "arm"),
)
