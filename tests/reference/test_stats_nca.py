"""Non-compartmental analysis against PKNCA, NonCompart, WinNonlin and the package PK."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from helpers import stats_cases
from helpers.stats_cases import close

from trialpipe.stats import nca, nca_area, nca_profile, nca_sparse, nca_urine
from trialpipe.stats.nca import Options
from trialpipe.stats.nca_profile import Blq

PKNCA = {
    "auclast": "AUCLST",
    "aucall": "AUCALL",
    "aumclast": "AUMCLST",
    "cmax": "CMAX",
    "cmin": "CMIN",
    "tmax": "TMAX",
    "tlast": "TLST",
    "clast.obs": "CLST",
    "mrt.last": "MRTEVLST",
    "tlag": "TLAG",
    "lambda.z": "LAMZ",
    "r.squared": "R2",
    "adj.r.squared": "R2ADJ",
    "lambda.z.time.first": "LAMZLL",
    "lambda.z.time.last": "LAMZUL",
    "lambda.z.n.points": "LAMZNPT",
    "clast.pred": "CLSTP",
    "half.life": "LAMZHL",
    "span.ratio": "LAMZSPN",
    "aucinf.obs": "AUCIFO",
    "aucinf.pred": "AUCIFP",
    "aumcinf.obs": "AUMCIFO",
    "aucpext.obs": "AUCPEO",
    "cl.obs": "CLFO",
    "mrt.obs": "MRTEVIFO",
    "vz.obs": "VZFO",
}
WINNONLIN = {
    "Rsq": "R2",
    "Rsq_adjusted": "R2ADJ",
    "Corr_XY": "CORRXY",
    "No_points_lambda_z": "LAMZNPT",
    "Lambda_z": "LAMZ",
    "Lambda_z_lower": "LAMZLL",
    "Lambda_z_upper": "LAMZUL",
    "HL_Lambda_z": "LAMZHL",
    "Tlag": "TLAG",
    "Tmax": "TMAX",
    "Cmax": "CMAX",
    "Cmax_D": "CMAXD",
    "Tlast": "TLST",
    "Clast": "CLST",
    "AUClast": "AUCLST",
    "AUCall": "AUCALL",
    "AUCINF_obs": "AUCIFO",
    "AUCINF_D_obs": "AUCIFOD",
    "AUC_%Extrap_obs": "AUCPEO",
    "Vz_F_obs": "VZFO",
    "Cl_F_obs": "CLFO",
    "AUCINF_pred": "AUCIFP",
    "AUCINF_D_pred": "AUCIFPD",
    "AUC_%Extrap_pred": "AUCPEP",
    "Vz_F_pred": "VZFP",
    "Cl_F_pred": "CLFP",
    "AUMClast": "AUMCLST",
    "AUMCINF_obs": "AUMCIFO",
    "AUMC_%Extrap_obs": "AUMCPEO",
    "AUMCINF_pred": "AUMCIFP",
    "AUMC_%Extrap_pred": "AUMCPEP",
    "MRTlast": "MRTEVLST",
    "MRTINF_obs": "MRTEVIFO",
    "MRTINF_pred": "MRTEVIFP",
}
RULES = {
    "default_keep_drop_keep": Options(start="required"),
    "blq_drop_all": Options(start="required", blq=Blq("drop", "drop", "drop")),
    "blq_keep_all_zero": Options(start="required", blq=Blq("keep", "keep", "keep")),
    "linear_default_blq": Options(start="required", method="linear"),
}
METHODS = {"linuplogdown": "linear-up log-down", "log": "linear-up log-down", "linear": "linear"}


def _profiles(case: str, name: str = "conc.csv") -> dict[str, tuple[np.ndarray, np.ndarray]]:
    columns = stats_cases.table("pk_nca", case, name)
    subjects = np.array([str(int(s)) if isinstance(s, float) else s for s in columns["subject"]])
    return {
        s: (columns["time"][subjects == s], columns["conc"][subjects == s]) for s in dict.fromkeys(subjects.tolist())
    }


@pytest.mark.parametrize("method", ["linuplogdown", "linear"])
def test_theophylline_under_pknca(method: str) -> None:
    want = stats_cases.expected("pk_nca", "theoph_single_dose")[f"pknca_{method}_dose320"]
    for subject, (time, conc) in _profiles("theoph_single_dose").items():
        found = nca.parameters(time, conc, 320, options=Options(method=METHODS[method], start="required")).values
        found["cav"] = found["AUCLST"] / math.inf
        for name, value in want[subject]["0-Inf"].items():
            close(found[PKNCA.get(name, name)], value, what=f"{subject} {name}")


@pytest.mark.parametrize("method", ["log", "linear"])
def test_theophylline_under_noncompart_and_winnonlin(method: str) -> None:
    want = stats_cases.expected("pk_nca", "theoph_single_dose")[f"noncompart_{method}"]
    file = stats_cases.folder("pk_nca", "theoph_single_dose") / f"winnonlin_{method}.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        printed = {row["Subject"]: row for row in csv.DictReader(stream)}
    for subject, (time, conc) in _profiles("theoph_single_dose").items():
        result = nca.parameters(time, conc, 320, options=Options(method=METHODS[method]))
        for name, value in want[subject].items():
            found = result.terminal.intercept if name == "b0" else result.values[name]
            close(found, value, what=f"{subject} {name}")
        for name, code in WINNONLIN.items():
            close(result.values[code], float(printed[subject][name]), 1e-6, 1e-9, what=f"{subject} {name}")


def test_theophylline_by_weight_and_in_intervals() -> None:
    want = stats_cases.expected("pk_nca", "theoph_single_dose")
    doses = stats_cases.table("pk_nca", "theoph_single_dose", "conc.csv")
    option = Options(start="required")
    for subject, (time, conc) in _profiles("theoph_single_dose").items():
        dose = doses["dose_mg_per_kg"][doses["subject"] == float(subject)][0]
        found = nca.parameters(time, conc, dose, options=option).values
        for name, value in want["pknca_actual_dose_per_kg"][subject]["0-Inf"].items():
            close(found[PKNCA[name]], value, what=f"{subject} {name}")
        for label, values in want["pknca_0_24_and_partial"][subject].items():
            end = float(label.split("-")[1])
            found = nca.parameters(time, conc, end=end, options=option).values
            found["cav"] = found["AUCLST"] / end
            for name, value in values.items():
                close(found[PKNCA.get(name, name)], value, what=f"{subject} {label} {name}")


def test_theophylline_interpolated() -> None:
    want = stats_cases.expected("pk_nca", "theoph_single_dose")["pknca_partial_interpolated"]
    for subject, (time, conc) in _profiles("theoph_single_dose").items():
        whole = nca_profile.prepare(time, conc)
        for label, values in want[subject].items():
            low, high = (float(x) for x in label.split("-"))
            inside = nca_profile.window(time, conc, low, high)
            found = nca.parameters(*inside, options=Options(start="required")).values
            for name, value in values.items():
                if not name.startswith("aucint"):
                    close(found[PKNCA[name]], value, what=f"{subject} {label} {name}")
                    continue
                kind = {"last": "last", "all": "all", "inf": "infinity"}[name.split(".")[1]]
                area = nca_area.interval_area(
                    whole, low, high, extension=kind, lambda_z=found["LAMZ"], clast=whole.conc[whole.last()]
                )
                close(area, value, what=f"{subject} {label} {name}")


@pytest.mark.parametrize("rules", RULES)
def test_values_below_the_limit(rules: str) -> None:
    want = stats_cases.expected("pk_nca", "blq_patterns_a")[rules]
    for subject, (time, conc) in _profiles("blq_patterns_a").items():
        found = nca.parameters(time, conc, 100, options=RULES[rules]).values
        for name, value in want[subject]["0-Inf"].items():
            close(found[PKNCA[name]], value, what=f"{subject} {name}")


@pytest.mark.parametrize("route", ["bolus", "infusion", "extravascular"])
@pytest.mark.parametrize("down", ["linear", "log"])
def test_indomethacin(route: str, down: str) -> None:
    want = stats_cases.expected("pk_nca", "indometh_nca")[f"{route}_{down}"]
    rule = nca_profile_rule(route)
    renamed = {"bolus": "MRTIB", "infusion": "MRTIC", "extravascular": "MRTEV"}[route]
    for subject, (time, conc) in _profiles("indometh_nca", "input.csv").items():
        result = nca.parameters(
            time,
            conc,
            25,
            route,
            duration=0.25 if route == "infusion" else 0.0,
            options=Options(method=METHODS[down], terminal=rule),
        )
        for name, value in want[subject].items():
            code = name.replace("MRTIV", renamed)
            if name == "b0":
                found = result.terminal.intercept
            elif name == "TLAG" and route != "extravascular":
                continue  # a lag makes no sense after an intravenous dose; NonCompart gives 0 for an infusion
            else:
                found = result.values[code]
            close(found, value, what=f"{subject} {name}")


def nca_profile_rule(route: str) -> nca.TerminalRule:
    """WinNonlin: after a bolus Cmax may be in the slope; the best fit is looked for among falling ones."""
    return nca.TerminalRule(allow_tmax=route == "bolus", max_over="falling")


def test_sparse_samples() -> None:
    want = stats_cases.expected("pk_nca", "sparse_holder2001")
    columns = stats_cases.table("pk_nca", "sparse_holder2001", "conc.csv")
    rows = (columns["time"], columns["conc"], columns["id"].tolist())
    batch, serial = nca_sparse.sparse_area(*rows), nca_sparse.sparse_area(*rows, design="serial")
    close([batch.auc, serial.auc], [want["auclast"]] * 2, 1e-9)
    close([batch.se, serial.se], [want["se_batch_design"], want["se_serial_design"]], 1e-9)
    close(serial.df, want["df_serial"], 1e-9)
    other = want["PK_package"]
    close([batch.se, batch.df], [other["se_batch"], other["df_batch"]], 1e-9)
    close([serial.se, serial.df], [other["se_serial"], other["df_serial"]], 1e-9)


def test_time_above_and_urine() -> None:
    want = stats_cases.expected("pk_nca", "time_above_and_urine")
    conc = stats_cases.table("pk_nca", "time_above_and_urine", "conc.csv")
    profile = nca_profile.prepare(conc["time"], conc["conc"])
    close(nca_area.time_above(profile, 4), want["time_above_4_linuplogdown"])
    close(nca_area.time_above(profile, 4, "linear"), want["time_above_4_linear"])
    urine = stats_cases.table("pk_nca", "time_above_and_urine", "urine.csv")
    litres = urine["volume_mL"] / 1000
    found = nca_urine.excreted(urine["start"], urine["end"], litres, urine["conc_mg_L"])
    assert found.note is None
    close(found.total, want["ae_mg"])
    close(nca_urine.fraction(found.total, 100), want["fe_dose_100mg"])
    close(nca_urine.renal_clearance(found.total, 50), want["clr_if_auc_50"])
