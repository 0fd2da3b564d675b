"""Data contracts of the datasets on stays in a unit and on infections acquired in hospital."""

from __future__ import annotations

from trialpipe.io.contracts import _ROW, Contract, _c

ADSTAY = Contract(
    "adstay",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
PARAMCD text! Stay
PARAM text! Stay
STARTDT date Origin of time
ADT date Date of discharge, death or censoring
AVAL float Elapsed days from STARTDT to ADT: the registered length if it ended
ENTRY float 0: at risk from the origin on
CNSR int 0 discharged alive, 1 censored, 2 death
EVENT text Milestone that ended the stay; null if censored
EVNTDESC text Description of event or censoring
ADTF text Imputation flag of ADT
ENDED text How it ended: discharged alive, died, still in (at the horizon) or not followed; null without a time
READMFL text! Y: readmitted after the stay, by the horizon
READMDY float Elapsed days from STARTDT to the first readmission
FREEDY float Days free of the stay; null if not followed to the last of them
FREEDTH text Y: no free day because of death; null if unknown
NOTE text Why AVAL is null, or what was read conservatively
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID", "PARAMCD"),
)

ADNOSO = Contract(
    "adnoso",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
PARAMCD text! Type, ANYNOSO first of any, ANYICU first acquired in intensive care; EPISODE a record
PARAM text! Type
STARTDT date Origin of time
ADT date Date of onset, competing event or censoring
AVAL float Elapsed days from STARTDT to ADT
ENTRY float 0: at risk from the origin on
CNSR int 0 infection, 1 censored, 2 and up competing events in declared order; null for an episode
EVENT text infection, or the competing milestone; null if censored or an episode
EVNTDESC text Description of event or censoring
ADTF text Imputation flag of ADT
TYPES text Of an episode: codes of its types in declared order, separated by a space
NOSOFL text Of an episode Y or N: acquired in hospital, at risk
ICUFL text Of an episode Y or N: also acquired in intensive care
NEPI int Of a type: episodes acquired in hospital
NOTE text Why not counted, or what was read conservatively
from list! Rows this row was derived from
"""
    ),
    key=("row_id",),
)
