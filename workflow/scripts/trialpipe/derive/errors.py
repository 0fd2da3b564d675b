"""Errors that stop the run because a decision is missing, not because a record is wrong."""

from __future__ import annotations

from trialpipe.io.errors import DataError


class UndeclaredIntercurrentEvent(DataError):
    """An intercurrent event occurs in the data and the outcome's estimand has no strategy for it."""

    def __init__(self, outcome: str, scenario: str, event: str, patients: int) -> None:
        where = f"outcome {outcome}" if scenario == "primary" else f"outcome {outcome}, scenario {scenario},"
        super().__init__(
            item=f"{where} estimand.intercurrent",
            value=event,
            message=f"occurs in {patients} patient(s) at risk and has no declared strategy",
            cure=f"add e.g. '{event}: treatment_policy' to estimand.intercurrent in outcomes.yaml",
        )
        self.outcome = outcome
        self.scenario = scenario
        self.event = event
        self.patients = patients

    def __reduce__(self) -> tuple[type, tuple[str, str, str, int]]:
        return type(self), (self.outcome, self.scenario, self.event, self.patients)


def config_error(item: str, value: str | None, message: str, cure: str) -> DataError:
    """A configuration that cannot be derived, in the form every user error has."""
    return DataError(item=item, value=value, message=message, cure=cure)
