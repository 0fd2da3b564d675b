"""Non-compartmental analysis of one profile: parameters by their codes in the CDISC terminology (PKPARMCD).

Formulas: Gabrielsson and Weiner, Pharmacokinetic and Pharmacodynamic Data Analysis, chapter 2; Gibaldi and Perrier,
Pharmacokinetics, chapter 11. Units are those of the arguments: an area is concentration x time, a clearance dose over
area. What is undefined is nan, its reason under the same code in ``notes``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from trialpipe.stats import nca_area as areas
from trialpipe.stats import nca_profile as profiles
from trialpipe.stats.nca_area import Method
from trialpipe.stats.nca_profile import Blq, Profile, Start
from trialpipe.stats.nca_terminal import Terminal, TerminalRule, terminal

Route = Literal["extravascular", "bolus", "infusion"]
_MRT = {"extravascular": "MRTEV", "bolus": "MRTIB", "infusion": "MRTIC"}


@dataclass(frozen=True)
class Options:
    """Conventions of an analysis.

    ``start``: what stands at the dose if nothing was measured there; by default C0 after a bolus, and otherwise 0
    after a first dose and the least value of the interval at steady state. ``required`` leaves areas undefined.
    ``first_tmax``: the first of equal greatest concentrations. ``c0``: methods for C0, in order. ``trough_within``: a
    sample so long before or after the end of the dosing interval is the trough, the nearest of several.
    """

    method: Method = "linear-up log-down"
    blq: Blq = field(default_factory=Blq)
    start: Start | None = None
    first_tmax: bool = True
    terminal: TerminalRule = field(default_factory=TerminalRule)
    c0: tuple[str, ...] = profiles.C0_METHODS
    trough_within: float = 0.0


@dataclass(frozen=True)
class Result:
    """Parameters and notes by code; the note under ``""`` holds for all."""

    values: dict[str, float]
    notes: dict[str, str]
    terminal: Terminal

    def note(self, code: str) -> str | None:
        """Why a value is missing, or what is doubtful about it."""
        return self.notes.get("") or self.notes.get(code)


def parameters(
    time: np.ndarray,
    conc: np.ndarray,
    dose: float | None = None,
    route: Route = "extravascular",
    *,
    duration: float = 0.0,
    tau: float | None = None,
    steady_state: bool = False,
    end: float = math.inf,
    intervals: Sequence[tuple[float, float]] = (),
    below: np.ndarray | None = None,
    points: np.ndarray | None = None,
    options: Options | None = None,
) -> Result:
    """Parameters of the values from the dose (time 0) to ``end``, with ``tau`` also of the dosing interval.

    ``time`` (n,) from the dose, ``conc`` (n,) in the order given, nan missing, 0 or ``below`` (n,) for BLQ. Values
    before the dose count for nothing but ``start: predose``. ``duration`` of an infusion. At ``steady_state``
    clearance and volume come from the area over ``tau``, and CMAX and TMAX are those of that interval, as CMIN is
    with any ``tau``. ``points`` (n,) marks the values of the terminal slope instead of a choice. ``intervals``: (start,
    end) of areas AUCINT1, AUCINT2 ...

    Raises ValueError for what `nca_profile.ordered` refuses, a dose that is not positive, a duration without an
    infusion or an infusion without duration, and a steady state without ``tau``.
    """
    chosen = options or Options()
    _check(dose, route, duration, tau, steady_state)
    t, c = profiles.ordered(time, conc, below)
    inside, found = profiles.window(t, c, 0.0, end)
    profile = profiles.prepare(inside, found, chosen.blq)
    values: dict[str, float] = {}
    notes: dict[str, str] = {}
    _observed(profile, chosen, route, tau, steady_state, values)
    if profile.empty:
        notes[""] = "no concentration after the dose" if len(inside) == 0 else "no concentration is left by the rules"
    elif profile.all_below:
        notes[""] = "all concentrations are below the limit of quantification"
    marks = None if points is None else _marks(time, np.asarray(conc, float), points, profile)
    slope = _slope(profile, values["TMAX"], chosen, route, duration, marks)
    full = _started(profile, chosen, t, c, route, steady_state, values)
    _areas(full, slope, chosen, values, notes)
    if route == "bolus":
        _back_extrapolated(full, profile, chosen, values)
    slope = _judged(slope, chosen.terminal, values, notes)
    _terminal(slope, profile, values, notes)
    if tau is not None:
        _dosing_interval(full, tau, slope, chosen, values, notes)
    for place, (low, high) in enumerate(intervals, 1):
        values[f"AUCINT{place}"] = _partial(full, low, high, slope, chosen)
    _dose(dose, route, duration, steady_state, slope, values)
    _explain(values, notes, full, slope, dose)
    return Result(values, notes, slope)


def _check(dose: float | None, route: str, duration: float, tau: float | None, steady_state: bool) -> None:
    if route not in _MRT:
        raise ValueError("a route is extravascular, bolus or infusion")
    if dose is not None and not (math.isfinite(dose) and dose > 0):
        raise ValueError("a dose must be positive")
    if (route == "infusion") != (duration > 0):
        raise ValueError("an infusion, and nothing else, has a duration")
    if tau is not None and not (math.isfinite(tau) and tau > 0):
        raise ValueError("a dosing interval must be positive")
    if steady_state and tau is None:
        raise ValueError("a steady state needs the dosing interval")


def _observed(
    profile: Profile, options: Options, route: str, tau: float | None, steady: bool, values: dict[str, float]
) -> None:
    """What is read off the measured values: CMAX and TMAX (at steady state up to tau), CMIN, CLST, TLST, TLAG."""
    t, c = profile.raw_time, profile.raw_conc
    above = np.flatnonzero(c > 0)
    interval = np.ones(len(t), bool) if tau is None else t <= tau
    first = interval if steady else np.ones(len(t), bool)
    values["CMAX"] = float(c[first].max()) if first.any() else math.nan
    values["TMAX"] = profiles.tmax_of(t[first], c[first], options.first_tmax)
    values["CMIN"] = float(c[interval].min()) if interval.any() else math.nan
    values["CLST"] = float(c[above[-1]]) if len(above) else (0.0 if len(c) else math.nan)
    values["TLST"] = float(t[above[-1]]) if len(above) else math.nan
    if route == "extravascular":
        # the last sample before the first quantified one
        values["TLAG"] = math.nan if not len(above) else float(t[above[0] - 1]) if above[0] > 0 else 0.0


def _marks(time: np.ndarray, conc: np.ndarray, points: np.ndarray, profile: Profile) -> np.ndarray:
    chosen = {float(t) for t, c, p in zip(time, conc, points, strict=True) if p and not math.isnan(c)}
    return np.array([float(t) in chosen for t in profile.time], bool)


def _slope(
    profile: Profile, tmax: float, options: Options, route: str, duration: float, marks: np.ndarray | None
) -> Terminal:
    after = duration if route == "infusion" else None
    return terminal(profile.time, profile.conc, tmax, options.terminal, after, marks)


def _started(
    profile: Profile, options: Options, t: np.ndarray, c: np.ndarray, route: str, steady: bool, values: dict[str, float]
) -> Profile:
    """The profile with its value at the dose."""
    usual: Start = "c0" if route == "bolus" else "minimum" if steady else "zero"
    rule = options.start or usual
    before = c[t < 0]
    predose = float(before[-1]) if len(before) else math.nan
    c0 = math.nan
    if route == "bolus":
        c0 = profiles.initial_concentration(profile.raw_time, profile.raw_conc, options.c0)
        values["C0"] = c0
    if profile.empty or profile.all_below:
        # nothing to add a value to: an area of nothing stays undefined, one of zeros 0
        return profile
    return profiles.with_start(profile, rule, predose, c0)


def _areas(full: Profile, slope: Terminal, options: Options, values: dict[str, float], notes: dict[str, str]) -> None:
    auc, aumc = areas.area(full, options.method)
    values["AUCLST"], values["AUMCLST"] = auc, aumc
    values["AUCALL"] = areas.area(full, options.method, "all")[0]
    values["CLSTP"] = math.nan
    last = full.last()
    for suffix in ("O", "P"):
        if last is None:
            # the area of nothing is 0 on to infinity
            more, moment = (0.0, 0.0) if auc == 0 else (math.nan, math.nan)
        else:
            tlast = float(full.time[last])
            observed = float(full.conc[last])
            clast = slope.predicted(tlast) if suffix == "P" and slope.n else observed
            values["CLSTP"] = slope.predicted(tlast) if slope.n else math.nan
            more, moment = areas.tail(clast, tlast, slope.lambda_z)
        values[f"AUCIF{suffix}"], values[f"AUMCIF{suffix}"] = auc + more, aumc + moment
        values[f"AUCPE{suffix}"] = _percent(more, auc + more)
        values[f"AUMCPE{suffix}"] = _percent(moment, aumc + moment)


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole > 0 else math.nan


def _back_extrapolated(full: Profile, profile: Profile, options: Options, values: dict[str, float]) -> None:
    """Percentage of the area between the dose and the first value after it (bolus)."""
    back = math.nan
    if (
        len(full.time) > 1
        and full.time[0] == 0
        and not (len(profile.time) and profile.raw_time[0] == 0 and profile.raw_conc[0] > 0)
    ):
        logs = areas.log_segments(full.time, full.conc, options.method)[:1]
        back = areas.areas(full.time[:2], full.conc[:2], logs)[0]
    elif len(full.time) > 1 and full.time[0] == 0:
        back = 0.0
    values["AUCPBEO"] = _percent(back, values["AUCIFO"])
    values["AUCPBEP"] = _percent(back, values["AUCIFP"])


def _judged(slope: Terminal, rule: TerminalRule, values: dict[str, float], notes: dict[str, str]) -> Terminal:
    """The slope with a note on what it misses; with ``strict`` it is then no slope and nothing rests on it."""
    if slope.n == 0:
        return slope
    faults = []
    if slope.adjusted_r2 < rule.min_r2:
        faults.append(f"adjusted R2 below {rule.min_r2:g}")
    if slope.span < rule.min_span:
        faults.append(f"less than {rule.min_span:g} half-lives covered")
    if values["AUCPEO"] > rule.max_extrapolated:
        faults.append(f"more than {rule.max_extrapolated:g} % of the area extrapolated")
    if not faults:
        return slope
    text = "terminal slope: " + ", ".join(faults)
    if not rule.strict:
        return replace(slope, note=text)
    for code in ("AUCIFO", "AUCIFP", "AUMCIFO", "AUMCIFP", "AUCPEO", "AUCPEP", "AUMCPEO", "AUMCPEP", "CLSTP"):
        values[code] = math.nan
    for code in ("AUCPBEO", "AUCPBEP"):
        if code in values:
            values[code] = math.nan
    return Terminal(note=text)


def _terminal(slope: Terminal, profile: Profile, values: dict[str, float], notes: dict[str, str]) -> None:
    there = slope.n > 0
    values["LAMZ"] = slope.lambda_z
    values["LAMZHL"] = slope.half_life if there else math.nan
    values["LAMZLL"], values["LAMZUL"] = slope.first, slope.last
    values["LAMZNPT"] = float(slope.n) if there else math.nan
    values["LAMZSPN"] = slope.span if there else math.nan
    values["R2"], values["R2ADJ"], values["CORRXY"] = slope.r2, slope.adjusted_r2, slope.correlation


def _partial(full: Profile, low: float, high: float, slope: Terminal, options: Options) -> float:
    """Area from ``low`` to ``high``; beyond the last value by the terminal slope, undefined without one."""
    last = full.last()
    clast = math.nan if last is None else float(full.conc[last])
    return areas.interval_area(full, low, high, options.method, "infinity", slope.lambda_z, clast)


def _dosing_interval(
    full: Profile, tau: float, slope: Terminal, options: Options, values: dict[str, float], notes: dict[str, str]
) -> None:
    """AUCTAU, CAVG, CTROUGH, FLUCP, SWING (percent) and AILAMZ of the dosing interval."""
    t, c = profiles.window(full.raw_time, full.raw_conc, 0.0, tau)
    auc = _partial(full, 0.0, tau, slope, options)
    values["AUCTAU"] = auc
    values["CAVG"] = auc / tau
    values["CTROUGH"] = _trough(full, tau, options.trough_within)
    if math.isnan(values["CTROUGH"]):
        notes["CTROUGH"] = "no sample at the end of the dosing interval"
    high, low = (float(c.max()), float(c.min())) if len(c) else (math.nan, math.nan)
    values["FLUCP"] = fluctuation(high, low, values["CAVG"])
    values["SWING"] = swing(high, low)
    values["AILAMZ"] = accumulation_index(slope.lambda_z, tau)
    if low == 0:
        notes["SWING"] = "the least concentration is below the limit of quantification"


def _trough(full: Profile, tau: float, within: float) -> float:
    """The measured value nearest the end of the dosing interval, the earlier of two; nan if none is near enough."""
    near = np.abs(full.raw_time - tau)
    return float(full.raw_conc[int(near.argmin())]) if len(near) and near.min() <= within else math.nan


def _dose(
    dose: float | None, route: Route, duration: float, steady: bool, slope: Terminal, values: dict[str, float]
) -> None:
    """What rests on the dose: normalised values, clearance, volumes; and mean residence times."""
    amount = math.nan if dose is None else dose
    for code in ("CMAX", "AUCLST", "AUCIFO", "AUCIFP"):
        values[f"{code}D"] = values[code] / amount
    stem = _MRT[route]
    bodies = ("CLF", "VZF") if route == "extravascular" else ("CL", "VZ")
    values[f"{stem}LST"] = _over(values["AUMCLST"], values["AUCLST"]) - duration / 2
    if steady:
        values[f"{bodies[0]}TAU"] = _over(amount, values["AUCTAU"])
        values[f"{bodies[1]}TAU"] = _over(values[f"{bodies[0]}TAU"], slope.lambda_z)
        return
    for suffix in ("O", "P"):
        clearance = _over(amount, values[f"AUCIF{suffix}"])
        residence = _over(values[f"AUMCIF{suffix}"], values[f"AUCIF{suffix}"]) - duration / 2
        values[f"{stem}IF{suffix}"] = residence
        values[f"{bodies[0]}{suffix}"] = clearance
        values[f"{bodies[1]}{suffix}"] = _over(clearance, slope.lambda_z)
        if route != "extravascular":
            values[f"VSS{suffix}"] = clearance * residence


def _over(above: float, below: float) -> float:
    return above / below if below > 0 else math.nan


_NEEDS_SLOPE = ("AUCIF", "AUMCIF", "AUCPE", "AUMCPE", "LAMZ", "R2", "CORRXY", "CLSTP", "CLF", "CLO", "CLP", "VZ", "VSS")
_NEEDS_DOSE = ("CLF", "CLO", "CLP", "CLTAU", "VZ", "VSS", "CMAXD", "AUCLSTD", "AUCIFOD", "AUCIFPD")


def _explain(
    values: dict[str, float], notes: dict[str, str], full: Profile, slope: Terminal, dose: float | None
) -> None:
    """A note for every value that is missing, and on what rests on a doubtful slope."""
    no_start = not full.empty and full.time[0] != 0
    for code, value in values.items():
        residence = code.startswith("MRT") and code[5:7] == "IF"
        sloped = (
            residence or code == "AILAMZ" or (code.startswith(_NEEDS_SLOPE) and code not in ("CLST", "CLTAU", "CLFTAU"))
        )
        reasons = [notes[code]] if code in notes else []
        if dose is None and code.startswith(_NEEDS_DOSE) and code != "CLST":
            reasons.append("no dose")
        if sloped and slope.note and (slope.n > 0 or math.isnan(value)):
            reasons.append(slope.note)
        if math.isnan(value) and not reasons and code.startswith(("AU", "MRT", "C", "FLUCP")):
            if no_start:
                reasons.append("no concentration at the time of the dose")
            elif len(full.time) == 1:
                reasons.append("one concentration")
            elif slope.note:
                reasons.append(slope.note)
        if reasons:
            notes[code] = "; ".join(dict.fromkeys(reasons))


def fluctuation(cmax: float, cmin: float, cavg: float) -> float:
    """Percentage fluctuation 100 (Cmax - Cmin)/Cavg; nan unless Cavg > 0."""
    return 100 * (cmax - cmin) / cavg if cavg > 0 else math.nan


def swing(cmax: float, cmin: float) -> float:
    """Swing in percent, 100 (Cmax - Cmin)/Cmin; nan unless Cmin > 0."""
    return 100 * (cmax - cmin) / cmin if cmin > 0 else math.nan


def accumulation_index(lambda_z: float, tau: float) -> float:
    """Accumulation expected from the terminal slope, 1/(1 - exp(-lambda_z tau)); nan unless lambda_z > 0."""
    return 1 / -math.expm1(-lambda_z * tau) if lambda_z > 0 else math.nan


def accumulation_ratio(steady: float, first: float) -> float:
    """AUCTAU (or CMAX) at steady state over that of the first dose; nan unless both are known and the first is > 0."""
    return _over(steady, first)


def mean_residence_at_steady_state(auctau: float, aumctau: float, aucinf: float, tau: float) -> float:
    """(AUMCtau + tau (AUCinf - AUCtau))/AUCtau, all areas counted from the last dose (Smith and Schentag 1984)."""
    return _over(aumctau + tau * (aucinf - auctau), auctau)


def effective_half_life(mean_residence: float) -> float:
    """ln 2 x mean residence time (Boxenbaum and Battle 1995)."""
    return math.log(2) * mean_residence


def peak_trough_ratio(cmax: float, ctrough: float) -> float:
    """Cmax/Ctrough; nan unless the trough is > 0."""
    return _over(cmax, ctrough)


def bioavailability(dose: float, auc: float, dose_reference: float, auc_reference: float) -> float:
    """F = (AUC/dose) over (AUC/dose) of the reference route; nan unless doses and the reference area are positive."""
    if not (dose > 0 and dose_reference > 0):
        return math.nan
    return _over(auc / dose, auc_reference / dose_reference)
