# Reference values for small random data sets with ties. Usage: Rscript random_survival.R data.csv > values.csv
# data: set,time,entry,event,cause,group,x,stratum. values: set,what,index,value
suppressMessages({library(survival); library(cmprsk)})
data <- read.csv(commandArgs(TRUE)[1])
out <- function(set, what, values)
  for (i in seq_along(values)) cat(set, what, i, format(values[i], digits = 15), sep = ",", fill = TRUE)
quiet <- function(expr) suppressWarnings(tryCatch(expr, error = function(e) NULL))
cat("set,what,index,value\n")
for (s in unique(data$set)) {
  d <- data[data$set == s, ]; d$second <- as.numeric(d$group == 2)
  at <- seq(0, 13, 1)
  for (type in c("log-log", "log", "plain")) {
    f <- survfit(Surv(time, event) ~ 1, d, conf.type = type)
    m <- summary(f, times = at, extend = TRUE)
    out(s, paste0("surv_", type), m$surv); out(s, paste0("lower_", type), m$lower); out(s, paste0("upper_", type), m$upper)
    q <- quantile(f, c(.25, .5, .75))
    out(s, paste0("q_", type), q$quantile); out(s, paste0("ql_", type), q$lower); out(s, paste0("qu_", type), q$upper)
  }
  late <- survfit(Surv(entry, time, event) ~ 1, d)
  out(s, "entry_surv", summary(late, times = at, extend = TRUE)$surv)
  out(s, "rmean", summary(survfit(Surv(time, event) ~ 1, d), rmean = 10)$table[c("rmean", "se(rmean)")])
  for (rho in c(0, 1)) {
    l <- quiet(survdiff(Surv(time, event) ~ group, d, rho = rho)); if (!is.null(l)) out(s, paste0("logrank", rho), l$chisq)
    l <- quiet(survdiff(Surv(time, event) ~ group + strata(stratum), d, rho = rho)); if (!is.null(l)) out(s, paste0("logrank_strat", rho), l$chisq)
    g <- quiet(cuminc(d$time, d$cause, d$group, rho = rho)); if (!is.null(g$Tests)) out(s, paste0("gray", rho), g$Tests[, "stat"])
    g <- quiet(cuminc(d$time, d$cause, d$group, strata = d$stratum, rho = rho)); if (!is.null(g$Tests)) out(s, paste0("gray_strat", rho), g$Tests[, "stat"])
  }
  ci <- quiet(cuminc(d$time, d$cause))
  for (k in 1:2) if (!is.null(ci[[paste("1", k)]])) {
    p <- timepoints(ci[paste("1", k)], at); out(s, paste0("cif", k), p$est); out(s, paste0("cifvar", k), p$var)
  }
  ij <- survfit(Surv(time, factor(cause, 0:2)) ~ 1, d)
  m <- summary(ij, times = at, extend = TRUE)
  for (k in 1:2) { out(s, paste0("aj", k), m$pstate[, k + 1]); out(s, paste0("ajse", k), m$std.err[, k + 1]) }
  control <- coxph.control(eps = 1e-11, toler.chol = 1e-12, iter.max = 60)
  for (ties in c("efron", "breslow", "exact")) {
    f <- quiet(coxph(Surv(time, event) ~ x + second + strata(stratum), d, ties = ties, control = control))
    if (inherits(f, "coxph")) { out(s, paste0("cox_", ties), coef(f)); out(s, paste0("coxse_", ties), sqrt(diag(vcov(f)))); out(s, paste0("coxll_", ties), f$loglik); out(s, paste0("coxscore_", ties), f$score) }
    f <- quiet(coxph(Surv(entry, time, event) ~ x, d, ties = ties, control = control))
    if (inherits(f, "coxph")) { out(s, paste0("late_", ties), coef(f)); out(s, paste0("latese_", ties), sqrt(diag(vcov(f)))) }
  }
  f <- quiet(coxph(Surv(time, event) ~ x + second, d, control = control))
  if (inherits(f, "coxph")) for (tr in c("km", "identity")) { z <- quiet(cox.zph(f, transform = tr)); if (!is.null(z)) out(s, paste0("zph_", tr), z$table[, "chisq"]) }
  f <- quiet(crr(d$time, d$cause, cbind(d$x, d$group == 2), gtol = 1e-12, maxiter = 60))
  if (!is.null(f) && f$converged) { out(s, "crr", f$coef); out(s, "crrse", sqrt(diag(f$var))) }
}
