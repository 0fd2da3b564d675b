"""Data contracts: the columns, types and keys of every Parquet artifact from ``ingested`` to ``analysis``.

Types: ``text`` (str or None), ``int`` (Int64), ``float`` (float64), ``bool`` (boolean), ``date``
(datetime64, midnight), ``datetime`` (datetime64, local clock time), ``list`` (list of str).
A contract is checked on every write; ``open`` contracts admit further columns of the declared types.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TYPES = ("text", "int", "float", "bool", "date", "datetime", "list")


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    label: str
    nullable: bool = True


@dataclass(frozen=True)
class Contract:
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    open: bool = False
    extra: tuple[Column, ...] = field(default=())

    def with_columns(self, *columns: Column) -> Contract:
        """The same contract with further columns (from a trial's configuration)."""
        return Contract(self.name, self.columns, self.key, self.open, (*self.extra, *columns))

    @property
    def all(self) -> tuple[Column, ...]:
        return (*self.columns, *self.extra)


def _c(spec: str) -> tuple[Column, ...]:
    """``name type! label`` per line; ``!`` marks a column that is never null."""
    columns = []
    for line in filter(str.strip, spec.splitlines()):
        name, kind, label = line.split(maxsplit=2)
        columns.append(Column(name, kind.rstrip("!"), label, nullable=not kind.endswith("!")))
    return tuple(columns)


_ROW = """
row_id text! Identity of the row in the trial, dataset:key
"""

CLEAN = Contract(
    "clean",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
DOMAIN text! Domain
origin list! Raw cells the row was made from, file:row:item
flags list! What was imputed, converted, reassigned or redacted
"""
    ),
    key=("row_id",),
    open=True,
)

QUERIES = Contract(
    "queries",
    _c(
        """
query_id text! Stable identity of the query
rule text! Rule in resources/reference/checks.csv
severity text! error, warning or note
subject text Subject as in the extract
domain text Domain
form text Raw form
visit text Visit as in the extract
item text Raw item
value text Raw value
message text! What is wrong and what to do
origin list! Raw cells concerned
"""
    ),
    key=("query_id",),
)

RECONCILIATION = Contract(
    "reconciliation",
    _c(
        """
domain text! Domain
form text! Raw form
status text! in, kept, or set_aside
reason text! Why rows were set aside; empty for in and kept
rows int! Number of raw rows
origin list! Raw rows set aside, file:row
"""
    ),
    key=("domain", "form", "status", "reason"),
)

ADSL = Contract(
    "adsl",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
SUBJID text! Subject identifier for the study
SITEID text Study site identifier
ARMCD text! Planned arm code
ARM text Arm; null of a patient who was never in one, e.g. a screening failure
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID",),
    open=True,
)

BDS = Contract(
    "bds",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
PARAMCD text! Parameter code
PARAM text! Parameter
AVAL float Analysis value
AVALC text Analysis value (character)
AVALU text Unit of AVAL
CENS text! none, left (below LLOQ) or right (above ULOQ)
LLOQ float Lower limit of quantification
ULOQ float Upper limit of quantification
ADT date Analysis date
ADTM datetime Analysis date and time
ADTF text Date imputation flag: D, M or Y
ATIME float Elapsed days since the trial's origin
ADY int Analysis relative day
AVISIT text Analysis visit (protocol label); null: in no window
ANL01FL text Y: the record analysed for its parameter and visit
ABLFL text Y: baseline record
BASE float Baseline value
CHG float Change from baseline
RELDAYS float Days from target of the visit
flags list! Inherited flags
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID", "PARAMCD", "row_id"),
    open=True,
)

ADTTE = Contract(
    "adtte",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
PARAMCD text! Endpoint code
PARAM text! Endpoint
SCENARIO text! primary or a sensitivity id
STARTDT date Origin of time
ADT date Date of event or censoring
AVAL float Elapsed days from STARTDT to ADT
ENTRY float Elapsed days at which the patient comes at risk (left truncation), 0 otherwise
CNSR int 0 event of interest, 1 censored, 2 and up competing events in declared order
EVENT text Milestone that ended the time; null if censored
EVNTDESC text Description of event or censoring
ADTF text Imputation flag of ADT
NOTE text Why AVAL is null, or what was read conservatively
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID", "PARAMCD", "SCENARIO"),
)

ADEFF = Contract(
    "adeff",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
PARAMCD text! Endpoint code
PARAM text! Endpoint
SCENARIO text! primary or a sensitivity id
AVALC text State: reached, alive, dead or lost; null if undetermined
AVAL float 1 success, 0 failure, null not counted
ADT date Date that decided the state
ATIME float Elapsed days from origin to ADT
NOTE text What was read conservatively or imputed
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID", "PARAMCD", "SCENARIO"),
)

ADICE = Contract(
    "adice",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
OUTCOME text! Outcome
ICE text! Intercurrent event
ICELABEL text! Name of the intercurrent event
STRATEGY text! Declared strategy, or part_of_endpoint
STARTDT date First day at risk of the outcome; null if not at risk
ENDDT date Last day at risk
OCCURFL text Y: occurred, or may have, while at risk; N: not; null if not at risk
ADT date Date of the event, a partial one as its first possible day at risk
AVAL float Elapsed days from STARTDT to ADT
ADTF text Imputation flag of ADT
NOTE text Why OCCURFL is null
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID", "OUTCOME", "ICE"),
)

ADRS = Contract(
    "adrs",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
RULESET text! Rule-set id; its version stands in PARAM of OVRLRESP
PARAMCD text! OVRLRESP, or the item's code
PARAM text! Parameter
AVISIT text! Analysis visit
AVALC text! For OVRLRESP the best level met, NR, NE or DEAD; for levels and items true, false or unknown
AVAL float Value of an item that was compared
ADT date Assessment date of the visit (latest item used)
ATIME float Elapsed days since the trial's origin
CARRIED text Y: carried from an earlier visit
STATUS text! assessed, not_evaluable, dead, conditioned or not_reached
NOTE text Missing items, unattainable levels
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID", "RULESET", "PARAMCD", "AVISIT"),
)

ADTTR = Contract(
    "adttr",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
RULESET text! Rule-set id
LEVEL text! Level: that level or better
LEFT float Elapsed days of the last visit without response (0 if none)
RIGHT float Elapsed days of the first visit with response; null: none seen
TIME float Elapsed days of target of the visit of response, competing event or censoring
CNSR int 0 response, 1 censored, 2 and up competing events in declared order
EVENT text response, or the competing milestone; null if censored
AVISIT text Visit of first response
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID", "RULESET", "LEVEL"),
)

ADINF = Contract(
    "adinf",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
PARAMCD text! Virus, or ANYVIR for the first of any
PARAM text! Virus
BASESTAT text! positive, negative or none (no PCR at baseline)
CLASS text! First infection: de novo, worsening or none; unclassifiable: positive without a baseline; not tested
STARTDT date Origin of time
ADT date Date of infection, competing event or censoring
AVAL float Elapsed days from STARTDT to ADT; null if not tested
ENTRY float 0: at risk from the origin on
CNSR int 0 infection (de novo or worsening), 1 censored, 2 and up competing events in declared order
EVENT text infection, or the competing milestone; null if censored
EVNTDESC text Description of event or censoring
NTEST int PCRs from the baseline on
NOTE text Why AVAL is null, or what was read conservatively
from list! Rows this row was derived from
"""
    ),
    key=("USUBJID", "PARAMCD"),
)

ADAE = Contract(
    "adae",
    _c(
        _ROW
        + """
USUBJID text! Unique subject identifier
AETERM text Reported term
AEDECOD text Preferred term as coded in the extract
AEBODSYS text System organ class as coded in the extract
AETOXGR text Toxicity grade 1 to 5; null missing
AESEV text Severity in words
AESER text Y or N; null missing
AEREL text Causality as reported
AEOUT text Outcome
ASTDT date Analysis start date
ASTDTF text Imputation flag of ASTDT
AENDT date Analysis end date
AENDTF text Imputation flag of AENDT
ATIME float Elapsed days from the trial's origin to ASTDT
NOTE text What was imputed or is uncertain
from list! Rows this row was derived from
"""
    ),
    key=("row_id",),
    open=True,
)

RESULTS = Contract(
    "analysis",
    _c(
        """
result_id text! Stable identity, unique in the trial
cell_id text! Shared by the numbers printed in one cell
trial text! Trial
outcome text! Outcome id
analysis text! Analysis id: kind, or kind.id
scenario text! primary or a sensitivity id
dataset text! Dataset the rows are from
population text! Analysis set
group text Arm or level; Overall when all are together
comparator text Reference group of a comparison
stratum text Stratum
term text Model coefficient or test
parameter text PARAMCD
variable text AVAL, CHG or ADSL variable
category text Level, grade, state, event
visit text Protocol label
base_visit text Baseline of a change
time float Elapsed days since the declared origin
statistic text! Closed list, resources/reference/statistics.csv
value float Full precision
value_text text stop, NE, undetermined
qualifier text < or > of a censored value
conf_level float Of an interval
alternative text Of a test
null_value float Of a test
df float Degrees of freedom
formatted text! Canonical text
unit text UCUM unit
method text Method of a test or interval
note text Why missing, what assumed
assumed bool! A choice behind it is not in the protocol
rowset text! Content id of the records behind it
order int! Position in the trial's results
"""
    ),
    key=("result_id",),
)

ROWSETS = Contract(
    "rowsets",
    _c(
        """
rowset text! Content id
dataset text! Dataset
row_key text! row_id in the dataset
role text! What the record is to the number: n, denominator, event, at_risk, censored, below, ... (statistics.csv)
"""
    ),
    key=("rowset", "dataset", "row_key", "role"),
)

LAWS = Contract(
    "laws",
    _c(
        """
law_id text! Stable identity
law text! What must hold
subject text! What it was checked on
expected text! Left side
found text! Right side
holds bool! Verdict
"""
    ),
    key=("law_id",),
)
