"""Words of config/README.md that no model holds."""

from __future__ import annotations

INTRODUCTION = """
# Configuration

Reference of every file in this folder. It is generated from the typed models in
`workflow/scripts/trialpipe/config/`; to change it, change them and run `make schemas`.

| file | holds |
| --- | --- |
| [`config.yaml`](#configyaml-and-localyaml) | which trials run, where extracts lie, where results go |
| `local.yaml` | the same keys for this machine alone; never in git |
| [`trials/<trial>/protocol.yaml`](#protocolyaml) | identity, design, clock, milestones, populations, visits, datasets |
| [`trials/<trial>/extracts.yaml`](#extractsyaml) | raw files, how they are written, what their items become |
| [`trials/<trial>/outcomes.yaml`](#outcomesyaml) | every registered outcome, its endpoint, estimand and analyses |
| [`trials/<trial>/characteristics.yaml`](#characteristicsyaml) | truths for the operating characteristics; optional |
| `trials/<trial>/extracts.lock` | sha256 and size of each raw file; written by `make accept`, never by hand |

A trial is such a folder and a folder of extracts; no Python. Editors that know the YAML language server complete and
check these files by the JSON Schemas in `workflow/schemas/`, if the first line names one:

    # yaml-language-server: $schema=../../../workflow/schemas/protocol.schema.json

The YAML is read strictly: duplicate keys, unknown keys, anchors and tags are refused, a value stays text until its
key's type reads it. Errors name file, line, key and cure; `make check TRIAL=x` shows them in seconds.

## Words for values
"""

SITE = """
Where the tables say *one or several*, a single value may stand without brackets.

## config.yaml and local.yaml

`local.yaml` overrides `config.yaml` key by key.
"""

PROTOCOL = """
## protocol.yaml

Who, when, which visits, which populations, which datasets. Days in this file are *protocol days*, the labels printed in
the protocol; `time.first_day` says which label the day of the origin has. Days with an `anchor` are elapsed days from
that milestone.
"""

EXTRACTS = """
## extracts.yaml

Raw files, how they are written, and how their items become records of clean tables (SDTM). An *item* is a column of a
raw form, as spelled in its header. An item that is neither mapped nor ignored stops the run, so that a new column of an
extract is seen.
"""

OUTCOMES = """
## outcomes.yaml

Every registered outcome with its title and time frame to the letter, the endpoint that measures it, its estimand and
its analyses. A sensitivity analysis is a copy of the outcome with some keys changed.
"""

CHARACTERISTICS = """
## characteristics.yaml

Truths under which the primary analysis is examined by `make characteristics`: type I error, power, bias and coverage
([docs/characteristics.md](../docs/characteristics.md)). A trial without the file is not examined.
"""

CHECKING = """
## What is checked between the files

Beside each key's own type, these are refused, with file, line and cure:

* a milestone, population, visit set, dataset, domain, form or intercurrent event that is named and not declared;
* an outcome, `paramcd`, dataset, domain, milestone or analysis that is declared twice; two analyses of one kind need an
  `id` each;
* a raw file that is missing, or differs from `extracts.lock`, or has a column that is neither mapped nor ignored, or
  lacks a mapped one.

An intercurrent event that occurs in the data and has no strategy in an estimand stops the run with the outcome's name.
"""

REFERENCE = """
## Reference tables

Knowledge that is the same for every trial stands in `resources/reference/`, with its citation. Ids in the trial files
point there.
"""

TABLES = {
    "`analytes.csv`": "analytes of biobank assays: names, and which names must not be merged",
    "`checks.csv`": "data checks: rule, severity, domain, parameters",
    "`codelists.csv`": "code lists of several trials; one of the same id in `extracts.yaml` takes its place",
    "`criteria.yaml`": "diagnostic criteria and scores (HLH-2004, HScore and others)",
    "`ctcae_lab.csv`": "laboratory terms of CTCAE 4.03, 5.0 and 6.0, in SI and US conventional units",
    "`expression_scores.yaml`": "scores of gene expression, e.g. interferon",
    "`gfr_equations.csv`": "equations of kidney function from serum creatinine",
    "`gvhd.yaml`": "staging and grading of graft-versus-host disease",
    "`pk_parameters.csv`": "codes, names and units of pharmacokinetic parameters",
    "`privacy_rules.csv`": "what the pseudonymity gate removes",
    "`product_information_ruxolitinib.csv`": "preferred terms of a product information",
    "`qc_third_way.csv`": "results that the second derivation confirms without a package of R, and how",
    "`qc_tolerances.csv`": "how far the second derivation may differ, by kind of statistic",
    "`response_rules.yaml`": "response rule-sets and reactivation; the grammar of all rules",
    "`sofa.yaml`": "bands of the organ failure score",
    "`statistics.csv`": "every statistic that a result row may hold, with its decimals",
    "`tests.csv`": "tests of findings: unit, plausible range",
    "`units.csv`": "spellings of units and conversions",
}
