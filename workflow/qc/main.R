# Second derivation of a trial's results, from the clean tables and the configuration alone.
# Rscript main.R INPUT OUTPUT: INPUT is what rule qc_export wrote, OUTPUT gets results.csv and derived_<dataset>.csv.
# Nothing here is translated from the Python of this repository; see docs/qc.md.
arguments <- commandArgs(trailingOnly = TRUE)
# R writes a space in the path of a script as ~+~
here <- dirname(gsub("~+~", " ", sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)[1]), fixed = TRUE))
options(stringsAsFactors = FALSE, warn = 1, digits = 15, OutDec = ".")
for (package in c("jsonlite", "survival", "cmprsk", "nlme")) {
  suppressPackageStartupMessages(library(package, character.only = TRUE))
}
source(file.path(here, "common.R"))
for (file in sort(setdiff(list.files(here, pattern = "[.]R$"), c("main.R", "common.R")))) source(file.path(here, file))
study <- read_study(arguments[1])
derive_subjects(study)
derive_intercurrent(study)
for (entry in study$outcomes) run_outcome(study, entry$outcome, entry$scenario)
intercurrent_results(study)
write_study(study, arguments[2])
