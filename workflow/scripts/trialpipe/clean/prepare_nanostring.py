"""NanoString lanes: from counts to normalised genes and to scores over healthy controls.

A row is one line of a lane's Code_Summary; a lane is a file (or a member of a zip). Which lanes count and how they are
normalised is told in `lanes`, what the scores are in `expression`. A count below the limit of detection of its lane is
left-censored at it. The genes of the scores and the scores are given, other genes are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trialpipe.clean import assay, expression, lanes, numbers
from trialpipe.clean.codes import fold
from trialpipe.clean.expression import Definitions, Range, Reference, Score
from trialpipe.clean.lanes import COUNT, SAMPLE, Lane
from trialpipe.clean.reconcile import Ledger
from trialpipe.clean.rows import Raw
from trialpipe.clean.rules import Log
from trialpipe.config.extracts import Dialect

NEEDED = ("SAMPLE_ID", "CODE_CLASS", "NAME", "COUNT")
_CLASSES = {
    "positive": "positive control",
    "negative": "negative control",
    "housekeeping": "housekeeping gene",
}


def prepare(raws: Sequence[Raw], log: Log, ledger: Ledger, dialect: Dialect) -> list[Raw]:
    """One row per sample and gene or score, sorted by both.

    Items: SAMPLE, TEST, RESULT (``123.4``, ``<7.3``, ``>2.1``; null if there is none), CENS, LLOQ (of genes the
    normalised limit of detection), UNIT ({count} or 1), NREP, PLATE (cartridge). DataError if the form is no RCC's.
    """
    table = expression.definitions()
    for item in NEEDED if raws else ():
        raws[0].text(item)
    accepted = lanes.accepted(raws, table, log, ledger, dialect)
    controls = [lane for lane in accepted if lane.is_control(table)]
    for lane in controls:
        lanes.set_aside(lane, "healthy control", ledger)
    samples = [lane for lane in accepted if not lane.is_control(table)]
    references = _references(samples, controls, table, log)
    found = []
    for lane in samples:
        found += _results(lane, references, table, log, ledger)
    return found


def _references(samples: list[Lane], controls: list[Lane], table: Definitions, log: Log) -> dict[str, Reference] | None:
    """The genes in the healthy controls; None (and a query) if there are too few of them."""
    rule = log.rules.find("score_controls", log.domain)
    least = rule.number("least") if rule else 1
    if len(controls) < least:
        if samples:
            raw = (controls or samples)[0].first
            names = ", ".join(score.id for score in table.scores)
            log.add(
                "score_controls", raw.origin(SAMPLE), form=raw.form, item=SAMPLE, value=str(len(controls)), score=names
            )
        return None
    values: dict[str, list[Range]] = {}
    for lane in controls:
        for gene, count in lane.genes(table.genes).items():
            values.setdefault(gene, []).append(count)
    found = {gene: expression.reference(own) for gene, own in sorted(values.items()) if len(own) >= least}
    _below(found, controls, table, log)
    failed = {score.id: _unscorable(score, found, table) for score in table.scores} if samples else {}
    _ask(controls[0], "every sample", failed, log)
    return found


def _below(found: Mapping[str, Reference], controls: list[Lane], table: Definitions, log: Log) -> None:
    """A note on every gene that a z-score takes at the limit of detection in some controls."""
    for gene, control in found.items():
        scores = [score.id for score in table.scores if score.method == "z_sum" and gene in score.genes]
        if control.below and scores:
            low = [lane for lane in controls if gene in (own := lane.genes([gene])) and own[gene].low != own[gene].high]
            cells = [cell for lane in low for cell in _gene(lane, gene).origin(COUNT)]
            words = {"form": controls[0].first.form, "item": COUNT, "value": gene}
            log.add("control_below", cells, n=control.below, score=", ".join(scores), **words)


def _results(
    lane: Lane,
    references: Mapping[str, Reference] | None,
    table: Definitions,
    log: Log,
    ledger: Ledger,
) -> list[Raw]:
    """Rows of a lane, sorted by test; the lines of no gene of a score are set aside."""
    for raw in lane.rows:
        kind = fold(raw.text("CODE_CLASS") or "")
        if kind != "endogenous" or (raw.text("NAME") or "").strip() not in table.genes:
            ledger.set_aside(raw.form, raw.lines, _CLASSES.get(kind, "gene of no score"))
    counts = lane.genes(table.genes)
    rows = {gene: _gene_row(lane, gene, counts.get(gene)) for gene in sorted(table.genes) if _has(lane, gene)}
    failed: dict[str, list[str]] = {}
    for score in table.scores:
        value, cens = None, "none"
        if references is not None:
            everywhere = _unscorable(score, references, table)
            missing = [gene for gene in score.genes if gene not in counts]
            failed[score.id] = [gene for gene in missing if gene not in everywhere]
            if not missing and not everywhere:
                value, cens = expression.censored(expression.value(score, counts, references))
                failed[score.id] = [] if value is not None else ["a fold change without bounds"]
        rows[score.id] = _score_row(lane, score, value, cens)
    _ask(lane, lane.sample, failed, log)
    return [row for _, row in sorted(rows.items())]


def _unscorable(score: Score, references: Mapping[str, Reference], table: Definitions) -> list[str]:
    """Genes that the controls lack, or of which they allow no z-score."""
    return [
        gene
        for gene in score.genes
        if gene not in references or not expression.scorable(score, references[gene], table.most_below)
    ]


def _ask(lane: Lane, sample: str, failed: Mapping[str, Sequence[str]], log: Log) -> None:
    """One query on the scores (by id: what is to blame) that are null for one reason or another."""
    scores = [score for score, genes in failed.items() if genes]
    if scores:
        genes = sorted({gene for score in scores for gene in failed[score]})
        words = {"form": lane.first.form, "item": SAMPLE, "value": ", ".join(genes), "sample": sample}
        log.add("score_gene", lane.first.origin(SAMPLE), score=", ".join(scores), **words)


def _has(lane: Lane, gene: str) -> bool:
    return any(_is_gene(raw, gene) for raw in lane.rows)


def _gene(lane: Lane, gene: str) -> Raw:
    return next(raw for raw in lane.rows if _is_gene(raw, gene))


def _is_gene(raw: Raw, gene: str) -> bool:
    return fold(raw.text("CODE_CLASS") or "") == "endogenous" and (raw.text("NAME") or "").strip() == gene


def _gene_row(lane: Lane, gene: str, count: Range | None) -> Raw:
    """The normalised count; a text that is no number stays as it is, for the findings to ask about."""
    raw = _gene(lane, gene)
    if count is None:
        return _row(lane, [raw], gene, raw.text(COUNT), "none", "{count}")
    value, cens = expression.censored(count)
    text = None if value is None else _text(value, cens)
    return _row(lane, [raw], gene, text, cens, "{count}", lloq=lane.bound * lane.factor)


def _score_row(lane: Lane, score: Score, value: float | None, cens: str) -> Raw:
    rows = [raw for gene in score.genes if _has(lane, gene) for raw in [_gene(lane, gene)]]
    return _row(lane, rows or [lane.first], score.id, None if value is None else _text(value, cens), cens, "1")


def _text(value: float, cens: str) -> str:
    return {"left": "<", "right": ">"}.get(cens, "") + numbers.shown(assay.tidy(value))


def _row(
    lane: Lane, rows: Sequence[Raw], test: str, text: str | None, cens: str, unit: str, lloq: float | None = None
) -> Raw:
    cells = {
        "SAMPLE": lane.sample,
        "TEST": test,
        "RESULT": text,
        "CENS": cens,
        "LLOQ": None if lloq is None else numbers.shown(assay.tidy(lloq)),
        "UNIT": unit,
        "NREP": "1",
        "PLATE": lane.first.cells.get("CARTRIDGE_ID"),
    }
    values = tuple(cell for raw in rows for cell in raw.origin(COUNT))
    places = {"SAMPLE": rows[0].origin(SAMPLE), "TEST": rows[0].origin("NAME"), "RESULT": values, "LLOQ": values}
    lines = tuple(dict.fromkeys(line for raw in rows for line in raw.lines))
    # the lane is no spreadsheet, whatever it was packed in
    return replace(rows[0], cells=cells, places=places, lines=lines, flags=(), prepared=True, serial=False)
