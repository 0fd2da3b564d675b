# Reference values of the two-arm analyses. Usage: Rscript elit_truth.R <truth>/patients.csv > data/transplant/elit_truth.csv
# Times and events are those of the simulator's truth of ELIT-AML01, before any defect is planted.
suppressMessages({library(survival); library(cmprsk)})
d <- read.csv(commandArgs(TRUE)[1], colClasses = "character")
number <- function(name) as.numeric(d[[name]])
arm <- factor(d$arm, levels = c("B", "A"))
cat("outcome,what,arm,value\n")
out <- function(outcome, what, arm, value) cat(paste(outcome, what, arm, format(value, digits = 14), sep = ","), "\n", sep = "")
for (name in c("lfs", "os")) {
  time <- number(paste0(name, "_time")); event <- as.integer(number(paste0(name, "_event")) == 1)
  at <- lapply(c("A", "B"), function(a) summary(survfit(Surv(time[arm == a], event[arm == a]) ~ 1, conf.type = "log-log"), times = 730))
  s <- sapply(at, function(x) x$surv); se <- sapply(at, function(x) x$std.err)
  for (i in 1:2) {
    out(name, "survival", c("A", "B")[i], s[i])
    out(name, "lower", c("A", "B")[i], at[[i]]$lower)
    out(name, "upper", c("A", "B")[i], at[[i]]$upper)
    m <- survfit(Surv(time[arm == c("A", "B")[i]], event[arm == c("A", "B")[i]]) ~ 1)
    out(name, "rmst", c("A", "B")[i], unname(summary(m, rmean = 730)$table["rmean"]))
  }
  out(name, "difference", "", s[1] - s[2])
  # Klein, Logan, Harhoff and Andersen 2007, Stat Med 26:4505: complementary log-log
  z <- (log(-log(s[1])) - log(-log(s[2]))) / sqrt(sum((se / (s * log(s)))^2))
  out(name, "chi_square", "", z^2)
  out(name, "p", "", 2 * pnorm(-abs(z)))
  out(name, "logrank", "", survdiff(Surv(time, event) ~ arm + strata(d$stratum_donor, d$stratum_disease))$chisq)
  cx <- coxph(Surv(time, event) ~ arm + strata(d$stratum_donor, d$stratum_disease), ties = "efron")
  out(name, "coef", "", unname(coef(cx)))
  out(name, "se", "", sqrt(vcov(cx)[1, 1]))
  out(name, "zph", "", cox.zph(cx, transform = "km", terms = FALSE)$table[1, 1])
}
for (name in c("relapse", "nrm")) {
  time <- number(paste0(name, "_time")); event <- number(paste0(name, "_event"))
  ci <- cuminc(time, event, arm)
  for (a in c("A", "B")) out(name, "cif", a, timepoints(ci, 730)$est[paste(a, "1"), 1])
  out(name, "gray", "", ci$Tests[1, "stat"])
  fg <- crr(time, event, cbind(A = as.integer(arm == "A")))
  out(name, "coef", "", unname(fg$coef))
  out(name, "se", "", sqrt(fg$var[1, 1]))
}
# exposure that begins after the first infusion, in arm A
dli <- read.csv(sub("patients.csv", "dli.csv", commandArgs(TRUE)[1]), colClasses = "character")
a <- d$arm == "A"; time <- number("lfs_time")[a]; event <- as.integer(number("lfs_event")[a] == 1)
first <- as.numeric(dli$first_day)[match(d$subject[a], dli$subject)]
id <- seq_along(time); base <- data.frame(id, time, event); base <- base[base$time > 0, ]
long <- tmerge(base, base, id = id, lfs = event(time, event))
long <- tmerge(long, data.frame(id, first)[!is.na(first), ], id = id, dli = tdc(first))
cx <- coxph(Surv(tstart, tstop, lfs) ~ dli, long, ties = "efron")
out("dli-received", "coef", "time_dependent", unname(coef(cx)))
out("dli-received", "se", "time_dependent", sqrt(vcov(cx)[1, 1]))
kept <- time > 60; exposed <- !is.na(first) & first <= 60
cx <- coxph(Surv(time, event) ~ exposed, subset = kept, ties = "efron")
out("dli-received", "coef", "landmark", unname(coef(cx)))
out("dli-received", "se", "landmark", sqrt(vcov(cx)[1, 1]))
