"""Data contracts of the comparison with the second derivation."""

from __future__ import annotations

from trialpipe.io.contracts import Column, Contract

QC = Contract(
    "qc",
    (
        Column("result_id", "text", "Result; theirs:... where only the second derivation has it", nullable=False),
        Column("outcome", "text", "Outcome", nullable=False),
        Column("analysis", "text", "Analysis", nullable=False),
        Column("scenario", "text", "Scenario", nullable=False),
        Column("statistic", "text", "Statistic", nullable=False),
        Column("ours", "float", "Value of this workflow"),
        Column("theirs", "float", "Value of the second derivation"),
        Column("difference", "float", "Ours minus theirs"),
        Column("tolerance", "float", "Largest difference that counts as the same"),
        Column("verdict", "text", "same, third way: <name>, different, not covered or no value", nullable=False),
        Column("note", "text", "Why there is nothing to compare"),
    ),
    key=("result_id",),
)

RECORDS = Contract(
    "qc_records",
    (
        Column("dataset", "text", "Derived dataset", nullable=False),
        Column("record", "text", "Key of the record, joined by /", nullable=False),
        Column("variable", "text", "Variable; * where one side lacks the record", nullable=False),
        Column("ours", "text", "Value of this workflow"),
        Column("theirs", "text", "Value of the second derivation"),
        Column("verdict", "text", "same or different", nullable=False),
    ),
    key=("dataset", "record", "variable"),
)
