"""Forms of a TrialMaster export: their variables, their code lists, and the rows of the simulated recipients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trialpipe.simulate.gvhd_truth import MAGIC, NIH, acute_grade, nih
from trialpipe.simulate.parameters import Parameters
from trialpipe.simulate.raw import Table
from trialpipe.simulate.recipient import ORGANS, Recipient
from trialpipe.simulate.rng import stream
from trialpipe.simulate.truth import iso
from trialpipe.simulate.xport_file import MONTHS, Variable

CODELISTS: dict[str, dict[str, str]] = {
    "$YN": {"Y": "Yes", "N": "No"},
    "$SEX": {"M": "Male", "F": "Female"},
    "$ARM": {"A": "DLI", "B": "No intervention"},
    "$DONOR": {"SIB": "HLA-identical sibling", "UD": "Unrelated donor", "HAPLO": "Haploidentical donor"},
    "$DISST": {"CR1": "First complete remission", "CR2": "Second complete remission"},
    "$SOURCE": {"BM": "Bone marrow", "PB": "Peripheral blood stem cells"},
    "$COND": {"RIC": "Reduced intensity", "MAC": "Myeloablative"},
    "$RISK": {"FAV": "Favourable", "INT": "Intermediate", "ADV": "Adverse"},
    "$POSNEG": {"POS": "Positive", "NEG": "Negative"},
    "$VISIT": {
        "INCL": "Inclusion", "M3": "Month 3", "M6": "Month 6", "M12": "Month 12", "M18": "Month 18", "M24": "Month 24",
        "M36": "Month 36", "M48": "Month 48", "M60": "Month 60", "UNS": "Unscheduled",
    },
    "$REASON": {
        "GVHD": "GVHD", "RELAPSE": "Relapse", "DONOR": "Donor or product not available", "REFUSAL": "Patient's refusal",
        "DEATH": "Death", "OTHER": "Other",
    },
    "$STATUS": {"ALIVE": "Alive", "DEAD": "Dead", "LOST": "Lost to follow-up"},
    "$CAUSE": {
        "RELAPSE": "Relapse", "GVHD": "GVHD", "INFECTION": "Infection", "TOX": "Toxicity", "OTHER": "Other",
    },
    "$CGSEV": {name: name.capitalize() for name in NIH},
    "$AEOUT": {"RECOV": "Recovered", "NOTREC": "Not recovered", "FATAL": "Fatal"},
}  # fmt: skip


def _date(name: str, label: str) -> Variable:
    return Variable(name, label, "date", 8, ("DATE", 9))


def _code(name: str, label: str, codelist: str) -> Variable:
    return Variable(name, label, "char", 10, (codelist, 0))


def _text(name: str, label: str, length: int = 50) -> Variable:
    return Variable(name, label, "char", length, ("$", length))


def _num(name: str, label: str) -> Variable:
    return Variable(name, label, "num")


ADMIN = (
    _text("TRNAME", "Trial name", 20), _text("TRNO", "Trial number", 30), _text("STNO", "Study number", 10),
    _text("SITEC", "Site code", 10), _text("PTNO", "Patient number", 12), _text("CRFNAME", "Form name", 40),
    _num("CRFINSNO", "Form instance number"), _text("CRFSTAT", "Form status", 20),
    _num("GRPINSNO", "Group instance number"),
    Variable("DATAMIN", "First data entry", "moment", 8, ("DATETIME", 20)),
    Variable("DATAMAX", "Last data entry", "moment", 8, ("DATETIME", 20)),
    _num("STATMIN", "Lowest status of the items"), _num("STATMAX", "Highest status of the items"),
)  # fmt: skip
VISIT = _code("VISIT", "Visit", "$VISIT")
FORMS: dict[str, tuple[str, tuple[Variable, ...]]] = {
    "PAT": ("Patient", (
        _code("SEX", "Sex", "$SEX"), _date("DNAIS", "Birthdate"), _text("FNAME", "First name initial", 2),
        _text("LNAME", "Last name initial", 2), _date("RGSTDT", "Date of inclusion"),
        _date("PTRNDT", "Date of randomisation"), _text("PTRNNO", "Randomisation number", 10),
        _date("PTERDT", "Date of the end of participation"),
    )),
    "RAND": ("Randomisation", (
        _code("ARM", "Arm", "$ARM"), _date("RANDDT", "Date of randomisation"),
        _code("STRDON", "Stratum: donor", "$DONOR"), _code("STRDIS", "Stratum: disease status", "$DISST"),
    )),
    "HSCT": ("Transplant", (
        _date("HSCTDT", "Date of transplant"), _code("DONOR", "Donor", "$DONOR"),
        _code("SOURCE", "Source of stem cells", "$SOURCE"), _code("CONDTYP", "Type of conditioning", "$COND"),
        _code("DISSTAT", "Disease status at transplant", "$DISST"), _code("CYTOGEN", "Cytogenetic risk (ELN)", "$RISK"),
        _code("MRD", "Minimal residual disease at inclusion", "$POSNEG"),
    )),
    "DLI": ("Donor lymphocyte infusion", (
        _num("DLINO", "Number of the infusion"), _date("DLIDT", "Date of the infusion"),
        _num("CD3", "CD3+ cells per kg, figure"), _num("CD3EXP", "CD3+ cells per kg, power of ten"),
        _code("FRESH", "Fresh product", "$YN"),
    )),
    "DLINOT": ("Infusion not given", (
        _num("DLINO", "Number of the infusion not given"), _date("DNDT", "Date of the decision"),
        _code("DNREAS", "Reason", "$REASON"),
    )),
    "EVAL": ("Evaluation of the disease", (
        VISIT, _text("EVALDT", "Date of the evaluation"), _code("REMISS", "Complete remission", "$YN"),
        _code("MRD", "Minimal residual disease", "$POSNEG"), _code("RELAPSE", "Relapse since the last visit", "$YN"),
        _date("RELDT", "Date of relapse"),
    )),
    "AGVHD": ("Acute GVHD", (
        _date("AGDT", "Date of the assessment"), _num("SKINST", "Skin, stage"), _num("LIVERST", "Liver, stage"),
        _num("UGIST", "Upper gut, stage"), _num("LGIST", "Lower gut, stage"),
        _num("SKINBSA", "Rash, % of body surface"),
        _code("SKINBULL", "Bullae or desquamation > 5 %", "$YN"), _num("BILI", "Bilirubin, umol/L"),
        _num("LGIVOL", "Stool volume, mL per day"), _code("LGIBLD", "Grossly bloody stool or ileus", "$YN"),
        _num("AGGRADE", "Overall grade (investigator)"), _code("SYSTRT", "Systemic treatment", "$YN"),
    )),
    "CGVHD": ("Chronic GVHD", (
        _date("CGDT", "Date of the assessment"), *(_num(organ, f"{organ.capitalize()}, score 0-3") for organ in ORGANS),
        _num("FEV1", "FEV1, % predicted"), _code("CGSEV", "Global severity (investigator)", "$CGSEV"),
        _code("SYSTRT", "Systemic treatment", "$YN"),
    )),
    "IMM": ("Immunity and chimerism", (
        VISIT, _date("IMMDT", "Date of the sample"), _num("CD3C", "CD3+ cells/uL"), _num("CD4C", "CD4+ cells/uL"),
        _num("CD8C", "CD8+ cells/uL"), _num("NKC", "NK cells/uL"), _num("BC", "B cells/uL"),
        _num("CHIMWB", "Donor chimerism, whole blood, %"), _num("CHIMCD3", "Donor chimerism, CD3+ cells, %"),
    )),
    "AE": ("Adverse event", (
        _text("AETERM", "Adverse event", 120), _text("AEPT", "Preferred term", 80),
        _text("AESOC", "System organ class", 80),
        _num("AEGRADE", "Grade (CTCAE)"), _code("AESER", "Serious", "$YN"), _date("AESTDT", "Start"),
        _date("AEENDT", "End"), _code("AEREL", "Related to the infusion", "$YN"), _code("AEOUT", "Outcome", "$AEOUT"),
    )),
    "CM": ("Concomitant treatment", (
        _text("CMTRT", "Treatment", 120), _date("CMSTDT", "Start"), _date("CMENDT", "End"),
    )),
    "VS": ("Vital signs", (
        VISIT, _date("VSDT", "Date"), _num("WEIGHT", "Weight, kg"), _num("KPS", "Karnofsky performance status, %"),
    )),
    "END": ("End of participation", (
        _date("ENDDT", "Date of the end of participation"), _date("LASTDT", "Date of last news"),
        _code("STATUS", "Status", "$STATUS"), _date("DTHDT", "Date of death"),
        _code("CAUSE", "Cause of death", "$CAUSE"),
    )),
}  # fmt: skip


@dataclass
class Form(Table):
    """One form: ``path`` is the archive, ``sheet`` the form, ``first`` 1: an address names the observation."""

    title: str = ""
    variables: tuple[Variable, ...] = ()
    made: dt.datetime = dt.datetime(1960, 1, 1)
    codelists: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def forms(p: Parameters, seed: int, recipients: list[Recipient]) -> dict[str, Form]:
    """Every form with its rows, in the order of the patients' numbers."""
    made = dt.datetime.fromisoformat(p.values["exported"])
    path = p.values["archive"]
    found = {}
    for name, (title, own) in FORMS.items():
        variables = (*ADMIN, *own)
        columns = tuple(v.name for v in variables)
        found[name] = Form(
            path, columns, sheet=name, first=1, title=title, variables=variables, made=made, codelists=CODELISTS
        )
    for who in sorted(recipients, key=lambda r: r.number):
        rng = stream(seed, "entry", who.person.index)
        for name, rows in ROWS.items():
            for number, (when, cells) in enumerate(rows(who), start=1):
                entered = dt.datetime.combine(when, dt.time(8)) + dt.timedelta(minutes=int(rng.integers(0, 20000)))
                admin = _admin(p, who, found[name], number, min(entered, made - dt.timedelta(days=2)))
                found[name].add(who.number, {**admin, **cells}, who=who, when=when)
    return found


def _admin(p: Parameters, who: Recipient, form: Form, number: int, entered: dt.datetime) -> dict[str, str]:
    once = form.sheet in ("PAT", "RAND", "END")
    moment = entered.isoformat(timespec="seconds")
    return {
        "TRNAME": p.values["trial_name"], "TRNO": p.values["trial_number"], "STNO": "1",
        "SITEC": who.number[:2], "PTNO": who.number, "CRFNAME": form.title, "CRFINSNO": "1" if once else str(number),
        "CRFSTAT": "Complete", "GRPINSNO": "1", "DATAMIN": moment, "DATAMAX": moment, "STATMIN": "2", "STATMAX": "2",
    }  # fmt: skip


def sas_date(value: dt.date) -> str:
    """``12JAN2021``, whatever the locale."""
    return f"{value.day:02d}{MONTHS[value.month - 1]}{value.year:04d}"


Lines = Iterable[tuple[dt.date, dict[str, str]]]


def _yes(value: bool) -> str:
    return "Y" if value else "N"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if abs(value) < 1e5 else f"{value:.0f}"


def _pat(who: Recipient) -> Lines:
    q = who.person
    yield q.included, {
        "SEX": q.sex, "DNAIS": iso(q.born), "FNAME": q.initials[0], "LNAME": q.initials[1], "RGSTDT": iso(q.included),
        "PTRNDT": iso(q.randomised), "PTRNNO": f"R{q.index + 1:03d}", "PTERDT": iso(who.last_news),
    }  # fmt: skip


def _rand(who: Recipient) -> Lines:
    q = who.person
    yield q.randomised, {"ARM": who.arm, "RANDDT": iso(q.randomised), "STRDON": q.donor, "STRDIS": q.disease}


def _hsct(who: Recipient) -> Lines:
    """The transplant before randomisation, and a second one after a relapse."""
    q = who.person
    yield q.randomised, {
        "HSCTDT": iso(who.hsct), "DONOR": q.donor, "SOURCE": q.source, "CONDTYP": q.conditioning, "DISSTAT": q.disease,
        "CYTOGEN": q.cytogenetics, "MRD": "POS" if q.mrd else "NEG",
    }  # fmt: skip
    again = who.when(who.days.again)
    if again is not None:
        yield (
            again,
            {"HSCTDT": iso(again), "DONOR": q.donor, "SOURCE": "PB", "CONDTYP": "RIC", "CYTOGEN": q.cytogenetics},
        )


def _dli(who: Recipient) -> Lines:
    for i in who.infusions:
        yield i.date, {
            "DLINO": str(i.number), "DLIDT": iso(i.date), "CD3": _number(i.figure), "CD3EXP": str(i.exponent),
            "FRESH": _yes(i.fresh),
        }  # fmt: skip


def _not_given(who: Recipient) -> Lines:
    stopped = who.when(who.days.stopped)
    if stopped is not None:
        yield stopped, {"DLINO": str(len(who.infusions) + 1), "DNDT": iso(stopped), "DNREAS": who.days.reason}


def _eval(who: Recipient) -> Lines:
    for e in who.evaluations:
        yield e.date, {
            "VISIT": e.visit, "EVALDT": sas_date(e.date), "REMISS": _yes(e.remission), "MRD": e.mrd,
            "RELAPSE": _yes(e.relapse is not None), "RELDT": iso(e.relapse),
        }  # fmt: skip


def _acute(who: Recipient) -> Lines:
    for a in who.acute:
        severe = a.lower == 4
        yield a.date, {
            "AGDT": iso(a.date), "SKINST": str(a.skin), "LIVERST": str(a.liver), "UGIST": str(a.upper),
            "LGIST": str(a.lower), "SKINBSA": str(a.area), "SKINBULL": _yes(a.skin == 4), "BILI": str(a.bilirubin),
            "LGIVOL": str(a.volume), "LGIBLD": _yes(severe), "AGGRADE": str(acute_grade(MAGIC, a)),
            "SYSTRT": _yes(a.systemic),
        }  # fmt: skip


def _chronic(who: Recipient) -> Lines:
    for c in who.chronic:
        scores = {organ: str(score) for organ, score in c.scores.items()}
        own = {"FEV1": str(c.fev1), "CGSEV": NIH[nih(c)], "SYSTRT": _yes(c.systemic)}
        yield c.date, {"CGDT": iso(c.date), **scores, **own}


def _imm(who: Recipient) -> Lines:
    for i in who.immunity:
        yield i.date, {"VISIT": i.visit, "IMMDT": iso(i.date), **{k: _number(v) for k, v in i.values.items()}}


def _ae(who: Recipient) -> Lines:
    for e in who.events:
        yield e.start, {
            "AETERM": e.term, "AEPT": e.pt, "AESOC": e.soc, "AEGRADE": str(e.grade), "AESER": _yes(e.serious),
            "AESTDT": iso(e.start), "AEENDT": iso(e.end), "AEREL": _yes(e.related), "AEOUT": e.outcome,
        }  # fmt: skip


def _cm(who: Recipient) -> Lines:
    for m in who.medications:
        yield m.start, {"CMTRT": m.name, "CMSTDT": iso(m.start), "CMENDT": iso(m.end)}


def _vs(who: Recipient) -> Lines:
    for v in who.vitals:
        yield v.date, {
            "VISIT": v.visit, "VSDT": iso(v.date), "WEIGHT": _number(v.weight), "KPS": str(v.performance)
        }  # fmt: skip


def _end(who: Recipient) -> Lines:
    assert who.last_news
    dead = who.days.death is not None
    yield who.last_news, {
        "ENDDT": iso(who.last_news), "LASTDT": iso(who.last_news), "STATUS": who.status,
        "DTHDT": iso(who.date(who.end)) if dead else "", "CAUSE": who.cause,
    }  # fmt: skip


ROWS: dict[str, Any] = {
    "PAT": _pat, "RAND": _rand, "HSCT": _hsct, "DLI": _dli, "DLINOT": _not_given, "EVAL": _eval, "AGVHD": _acute,
    "CGVHD": _chronic, "IMM": _imm, "AE": _ae, "CM": _cm, "VS": _vs, "END": _end,
}  # fmt: skip
