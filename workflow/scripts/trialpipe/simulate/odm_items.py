"""What an ODM e-CRF of the trial is made of: study events, item groups, items, code lists and units. Data only."""

from __future__ import annotations

from dataclasses import dataclass

# study event: (name, repeating)
EVENTS = {
    "SE.INCLUSION": ("Inclusion", False), "SE.D0": ("J0", False), "SE.D7": ("J7", False), "SE.D14": ("J14", False),
    "SE.D21": ("J21", False), "SE.D28": ("J28", False), "SE.D35": ("J35", False), "SE.D42": ("J42", False),
    "SE.D49": ("J49", False), "SE.W8": ("Semaine 8", False), "SE.CONDM8": ("J-8 du conditionnement", False),
    "SE.CONDM1": ("J-1 du conditionnement", False), "SE.HSCT": ("Greffe", False), "SE.FU": ("Suivi", True),
    "SE.UNSCHED": ("Visite non programmée", True), "SE.COMMON": ("Tout au long de l'étude", False),
    "SE.END": ("Fin d'étude", False),
}  # fmt: skip
VISITS = tuple(oid for oid in EVENTS if oid not in ("SE.HSCT", "SE.FU", "SE.COMMON", "SE.END"))
UNITS = {
    "g/dL": "MU.G_DL", "g/L": "MU.G_L", "G/L": "MU.GIGA_L", "/mm3": "MU.PER_MM3", "µg/L": "MU.UG_L",
    "mmol/L": "MU.MMOL_L", "U/mL": "MU.U_ML", "U/L": "MU.U_L", "µmol/L": "MU.UMOL_L", "nmol/L": "MU.NMOL_L",
    "mg": "MU.MG", "°C": "MU.CEL", "kg": "MU.KG", "cm": "MU.CM",
}  # fmt: skip
GENES = ("PRF1", "UNC13D", "STXBP2", "STX11", "RAB27A", "LYST", "SH2D1A", "XIAP", "UNKNOWN")
CODELISTS = {
    "CL.YN": {"1": "Oui", "0": "Non"},
    "CL.SEX": {"1": "Masculin", "2": "Féminin"},
    "CL.GENE": {gene: "En attente" if gene == "UNKNOWN" else gene for gene in GENES},
    "CL.NK": {"0": "Absente", "1": "Diminuée", "2": "Normale"},
    "CL.FREQ": {"BID": "2 fois par jour"},
    "CL.CMCAT": {
        "STEROID": "Corticoïdes", "RESCUE": "2e ligne", "RBC": "Transfusion de globules rouges",
        "PLT": "Transfusion de plaquettes", "GCSF": "G-CSF", "AZOLE": "Azolé", "ANTIVIRAL": "Antiviral",
    },
    "CL.RESP": {"1": "Réponse complète", "2": "Réponse partielle", "3": "Absence de réponse"},
    "CL.VIRUS": {"CMV": "CMV", "EBV": "EBV", "ADV": "Adénovirus", "HHV6": "HHV-6", "BKV": "Virus BK"},
    "CL.POSNEG": {"1": "Positif", "0": "Négatif"},
    "CL.GRADE": {grade: f"Grade {grade}" for grade in "12345"},
    "CL.REL": {"1": "Lié", "0": "Non lié"},
    "CL.OUT": {"1": "Résolu", "2": "Non résolu", "3": "Fatal"},
    "CL.STATUS": {"1": "Vivant", "2": "Décédé", "3": "Perdu de vue"},
    "CL.SAMP": {"BIOBANK": "Biobanque", "RNA": "ARN", "PK": "PK plasma", "PKCSF": "PK LCR"},
    "CL.VISIT": {oid: EVENTS[oid][0] for oid in VISITS},
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """An item: its name in the group, ODM data type, code list and units that it may carry."""

    name: str
    type: str
    codes: str = ""
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """An item group, its name, whether it repeats in its form, and its items."""

    name: str
    repeating: bool
    items: tuple[Item, ...]


def _items(text: str) -> tuple[Item, ...]:
    """``NAME:type[:code list or units joined by |]`` separated by spaces."""
    found = []
    for word in text.split():
        name, kind, *rest = word.split(":")
        codes = rest[0] if rest and rest[0].startswith("CL.") else ""
        found.append(Item(name, kind, codes, tuple(rest[0].split("|")) if rest and not codes else ()))
    return tuple(found)


GROUPS = {
    "IG.DM": Group("Inclusion", False, _items("ICDT:date INCLDT:date BRTHDT:date INITIALS:text SEX:integer:CL.SEX")),
    "IG.DX": Group(
        "Diagnostic",
        False,
        _items(
            "DT:date GENE:text:CL.GENE FAMHIST:integer:CL.YN CNS:integer:CL.YN HEMOPHAG:integer:CL.YN NK:integer:CL.NK "
            "HLADR:integer:CL.YN IMMSUP:integer:CL.YN PRIORTRT:integer:CL.YN"
        ),
    ),
    "IG.EX": Group("Traitement", True, _items("STDTM:datetime ENDTM:datetime DOSE:float:mg FREQ:text:CL.FREQ")),
    "IG.CM": Group(
        "Traitements concomitants",
        True,
        _items("CAT:text:CL.CMCAT TRT:text STDT:incompleteDate ENDT:incompleteDate ONGO:integer:CL.YN COMM:text"),
    ),
    "IG.PR": Group(
        "Greffe", False, _items("CONDDT:date REGIMEN:text HSCTYN:integer:CL.YN HSCTDTM:datetime DONOR:text")
    ),
    "IG.LP": Group(
        "Ponction lombaire",
        False,
        _items("DONE:integer:CL.YN DT:date WBC:float:/mm3 PROT:float:g/L NEOPT:float:nmol/L"),
    ),
    "IG.LB": Group(
        "Biologie",
        False,
        _items(
            "DT:date HGB:float:g/dL|g/L PLAT:float:G/L|/mm3 WBC:float:G/L|/mm3 NEUT:float:G/L|/mm3 FERR:text:µg/L "
            "TRIG:float:mmol/L|g/L FIB:text:g/L CD25:float:U/mL DDIM:float:µg/L ALT:float:U/L AST:float:U/L "
            "BILI:float:µmol/L CREAT:float:µmol/L"
        ),
    ),
    "IG.VS": Group("Constantes", False, _items("DT:date TEMP:float:°C WEIGHT:float:kg HEIGHT:float:cm")),
    "IG.PE": Group(
        "Examen clinique",
        False,
        _items("DT:date SPLENO:integer:CL.YN SPLEEN:float:cm HEPATO:integer:CL.YN LIVER:float:cm CNS:integer:CL.YN"),
    ),
    "IG.RS": Group("Évaluation de la réponse", False, _items("DT:date RESP:integer:CL.RESP")),
    "IG.MB": Group(
        "PCR virales",
        True,
        _items("DT:date VIRUS:text:CL.VIRUS RESULT:text UNIT:text QUAL:integer:CL.POSNEG ORGAN:integer:CL.YN"),
    ),
    "IG.AE": Group(
        "Événements indésirables",
        True,
        _items(
            "SPID:text TERM:text PT:text SOC:text STDT:partialDate ENDT:partialDate ONGO:integer:CL.YN "
            "GRADE:integer:CL.GRADE SER:integer:CL.YN REL:integer:CL.REL OUT:integer:CL.OUT COMM:text"
        ),
    ),
    "IG.FU": Group("Suivi", False, _items("DT:date STATUS:integer:CL.STATUS")),
    "IG.EOS": Group(
        "Fin d'étude",
        False,
        _items("STATUS:integer:CL.STATUS LASTDT:date DTHDT:partialDate DTHTM:time CAUSE:text COMM:text"),
    ),
    "IG.SAMP": Group("Prélèvements", True, _items("ID:text TYPE:text:CL.SAMP VISIT:text:CL.VISIT DTM:datetime")),
}
# item groups (forms of one group each) of every study event
FORMS = {
    "SE.INCLUSION": "DM DX LB VS PE LP MB",
    **{f"SE.{visit}": "LB VS PE LP RS MB" for visit in ("D0", "D7", "D14", "D21", "D28", "D35", "D42", "D49", "W8")},
    "SE.CONDM8": "VS",
    "SE.CONDM1": "LB VS PE RS",
    "SE.HSCT": "PR",
    "SE.FU": "FU",
    "SE.UNSCHED": "LB VS PE",
    "SE.COMMON": "EX CM AE SAMP",
    "SE.END": "EOS",
}


def oid(group: str, item: str) -> str:
    """``IT.LB.HGB`` of IG.LB and HGB."""
    return f"IT.{group.removeprefix('IG.')}.{item}"
