"""Units (UCUM) of pharmacokinetic parameters: hours, the unit of the concentrations, and litres per hour."""

from __future__ import annotations

_MASS = {"kg": 1e3, "g": 1.0, "mg": 1e-3, "ug": 1e-6, "ng": 1e-9, "pg": 1e-12}
_MOLES = {"mol": 1.0, "mmol": 1e-3, "umol": 1e-6, "nmol": 1e-9, "pmol": 1e-12}
_LITRES = {"L": 1.0, "dL": 1e-1, "mL": 1e-3, "uL": 1e-6}


def factors(conc: str | None, dose: str | None) -> dict[str, tuple[float, str | None]]:
    """Factor and unit by kind of unit in ``pk_parameters.csv``, for concentrations in ``conc`` and a dose in ``dose``.

    A clearance is in L/h and a volume in L (per kg or m2 if the dose is) where dose and concentration are both masses
    or both amounts of substance; otherwise the quotient of the units stands as it is.
    """
    area = _joined("h.", conc)
    scale, volume, clearance = _volumes(conc, dose)
    return {
        "conc": (1.0, conc),
        "time": (1.0, "h"),
        "rate": (1.0, "/h"),
        "one": (1.0, "1"),
        "percent": (1.0, "%"),
        "area": (1.0, area),
        "moment": (1.0, _joined("h2.", conc)),
        "conc_dose": (1.0, _quotient(conc, dose)),
        "area_dose": (1.0, _quotient(area, dose)),
        "clearance": (scale, clearance),
        "volume": (scale, volume),
    }


def _joined(stem: str, unit: str | None) -> str | None:
    return None if unit is None else f"{stem}{unit}"


def _quotient(above: str | None, below: str | None) -> str | None:
    if above is None or below is None:
        return None
    return f"{above}/({below})" if "/" in below else f"{above}/{below}"


def _volumes(conc: str | None, dose: str | None) -> tuple[float, str | None, str | None]:
    """Factor to litres, unit of a volume, unit of a clearance."""
    if conc is None or dose is None:
        return 1.0, None, None
    amount, _, per = dose.partition("/")
    part, _, volume = conc.partition("/")
    for known in (_MASS, _MOLES):
        if amount in known and part in known and volume in _LITRES:
            suffix = f"/{per}" if per else ""
            return known[amount] / known[part] * _LITRES[volume], f"L{suffix}", f"L/h{suffix}"
    return 1.0, _quotient(dose, conc), _quotient(dose, f"h.{conc}")
