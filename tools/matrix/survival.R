# Times to events: survival and cmprsk
source(file.path(dirname(gsub("~+~", " ", sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)), fixed = TRUE)), "oracle.R"))
suppressMessages({library(survival); library(cmprsk)})
at <- 0:13
control <- coxph.control(eps = 1e-11, toler.chol = 1e-12, iter.max = 60)
# a coefficient without finite estimate: R says where its search ended, with an error of thousands (or 0: no information)
runaway <- function(fit) {
  se <- suppressWarnings(sqrt(diag(vcov(fit))))
  any(is.na(coef(fit))) || !all(is.finite(se)) || any(se > 50 | se < 1e-8 | abs(coef(fit)) > 15)
}
cox <- function(s, name, formula, d, all = c("efron", "breslow", "exact")) for (ties in all) {
  f <- quiet(coxph(formula, d, ties = ties, control = control))
  if (!inherits(f, "coxph") || !sum(d$event)) next
  put(s, paste0(name, "_null_", ties), f$loglik[1])
  if (all(is.na(coef(f)))) next
  if (any(abs(diag(vcov(f))) > 0)) put(s, paste0(name, "_limit_", ties), f$loglik[2])
  if (runaway(f)) next
  put(s, paste0(name, "_coef_", ties), coef(f)); put(s, paste0(name, "_se_", ties), sqrt(diag(vcov(f))))
  put(s, paste0(name, "_score_", ties), f$score); put(s, paste0(name, "_wald_", ties), f$wald.test)
}
# cuminc writes -1 where the variance is singular
tested <- function(stat) if (stat == -1) NA else stat
# no spread, no test
two_sided <- function(z, se) if (is.finite(se) && se > 0) 2 * pnorm(-abs(z)) else NA
# summary stops where everybody is followed beyond the end: there the mean is that end
mean_to <- function(fit, tau) {
  if (min(fit$time) > tau) return(c(tau, 0))
  summary(fit, rmean = tau)$table[c("rmean", "se(rmean)")]
}
for (s in seq_along(sets)) {
  raw <- sets[[s]]
  d <- data.frame(time = number(raw$time), entry = number(raw$entry), event = number(raw$event), cause = number(raw$cause),
                  group = number(raw$group), stratum = number(raw$stratum), x = number(raw$x))
  d$second <- as.numeric(d$group == 2)
  for (type in c("log-log", "log", "plain")) {
    f <- survfit(Surv(time, event) ~ 1, d, conf.type = type)
    m <- summary(f, times = at, extend = TRUE)
    put(s, "survival", if (type == "plain") m$surv); put(s, "survival_se", if (type == "plain") m$std.err)
    put(s, paste0("lower_", type), m$lower); put(s, paste0("upper_", type), m$upper)
    q <- quantile(f, c(.25, .5, .75))
    put(s, paste0("q_", type), q$quantile); put(s, paste0("ql_", type), q$lower); put(s, paste0("qu_", type), q$upper)
  }
  put(s, "at_risk", m$n.risk)
  put(s, "cumhaz", m$cumhaz); put(s, "cumhaz_se", m$std.chaz)
  put(s, "rmst", mean_to(survfit(Surv(time, event) ~ 1, d), 10))
  reverse <- quantile(survfit(Surv(time, 1 - event) ~ 1, d, conf.type = "log-log"), .5)
  put(s, "follow_up", c(reverse$quantile, reverse$lower, reverse$upper))
  if (all(d$time > d$entry)) {
    late <- summary(survfit(Surv(entry, time, event) ~ 1, d), times = 1:13, extend = TRUE)
    put(s, "late_survival", late$surv); put(s, "late_se", late$std.err)
    d$id <- seq_len(nrow(d))
    l <- summary(survfit(Surv(entry, time, factor(cause, 0:2)) ~ 1, d, id = id), times = 1:13, extend = TRUE)
    for (k in 1:2) { put(s, paste0("late_cif", k), l$pstate[, k + 1]); put(s, paste0("late_cif_se", k), l$std.err[, k + 1]) }
    cox(s, "late", Surv(entry, time, event) ~ x, d, c("efron", "breslow"))
  }
  for (rho in c(0, 1)) {
    l <- quiet(survdiff(Surv(time, event) ~ group, d, rho = rho))
    if (!is.null(l)) put(s, paste0("logrank", rho), l$chisq)
    l <- quiet(survdiff(Surv(time, event) ~ group + strata(stratum), d, rho = rho))
    if (!is.null(l)) put(s, paste0("logrank_strata", rho), l$chisq)
    g <- quiet(cuminc(d$time, d$cause, d$group, rho = rho))
    if (!is.null(g$Tests)) for (k in rownames(g$Tests)) put(s, paste0("gray", rho, "_", k), tested(g$Tests[k, "stat"]))
    g <- quiet(cuminc(d$time, d$cause, d$group, strata = d$stratum, rho = rho))
    if (!is.null(g$Tests)) for (k in rownames(g$Tests)) put(s, paste0("gray_strata", rho, "_", k), tested(g$Tests[k, "stat"]))
  }
  ci <- quiet(cuminc(d$time, d$cause))
  for (k in 1:2) if (!is.null(ci[[paste("1", k)]])) {
    p <- timepoints(ci[paste("1", k)], at); put(s, paste0("cif", k), p$est); put(s, paste0("cif_variance", k), p$var)
  }
  m <- summary(survfit(Surv(time, factor(cause, 0:2)) ~ 1, d), times = at, extend = TRUE)
  for (k in 1:2) { put(s, paste0("aj", k), m$pstate[, k + 1]); put(s, paste0("aj_se", k), m$std.err[, k + 1]) }
  cox(s, "cox", Surv(time, event) ~ x + second + strata(stratum), d)
  f <- quiet(coxph(Surv(time, event) ~ x + second, d, control = control))
  if (inherits(f, "coxph") && sum(d$event) && !runaway(f)) for (tr in c("km", "identity")) {
    z <- quiet(cox.zph(f, transform = tr)); if (!is.null(z)) put(s, paste0("zph_", tr), z$table[, "chisq"])
  }
  c1 <- quiet(concordance(Surv(time, event) ~ x, d, reverse = TRUE))
  if (nrow(d) == 1) put(s, "pairs", c(0, 0, 0))
  else if (!is.null(c1)) { put(s, "concordance", c1$concordance); put(s, "pairs", c1$count[c("concordant", "discordant", "tied.x")]) }
  c2 <- quiet(concordance(Surv(time, event) ~ x + strata(stratum), d, reverse = TRUE))
  if (!is.null(c2)) put(s, "concordance_strata", c2$concordance)
  # times + 1: only their order counts, and crr reads the censoring curve before time t at t (1 - 100 eps), which is t at 0
  # the strictest stopping rule that crr can meet: below rounding error of the gradient it never ends
  for (gtol in c(1e-12, 1e-11, 1e-10, 1e-9, 1e-8)) {
    f <- quiet(crr(d$time + 1, d$cause, cbind(d$x, d$second), gtol = gtol, maxiter = 100))
    if (is.null(f) || f$converged) break
  }
  if (!is.null(f) && f$converged && all(is.finite(diag(f$invinf))) && all(diag(f$invinf) < 2500)) {
    put(s, "crr_coef", f$coef); put(s, "crr_se", sqrt(diag(f$var))); put(s, "crr_loglik", f$loglik)
  }
  one <- lapply(1:2, function(g) {
    part <- d[d$group == g, ]
    if (!nrow(part)) return(NULL)
    f <- survfit(Surv(time, event) ~ 1, part)
    m <- summary(f, times = 5, extend = TRUE)
    r <- mean_to(f, 6)
    list(s = m$surv, se = m$std.err, r = r[1], rse = r[2])
  })
  if (!is.null(one[[1]]) && !is.null(one[[2]])) with(list(a = one[[1]], b = one[[2]], z = qnorm(.975)), {
    se <- sqrt(a$se^2 + b$se^2); gap <- a$s - b$s
    put(s, "gap", c(gap, se, gap - z * se, gap + z * se))
    cll <- function(p) log(-log(p))
    v <- sqrt(sum((c(a$se, b$se) / (c(a$s, b$s) * log(c(a$s, b$s))))^2))
    put(s, "cloglog", 2 * pnorm(-abs(cll(a$s) - cll(b$s)) / v))
    se <- sqrt(a$rse^2 + b$rse^2); gap <- a$r - b$r
    put(s, "rmst_gap", c(gap, se, gap - z * se, gap + z * se, two_sided(gap / se, se)))
    v <- sqrt((a$rse / a$r)^2 + (b$rse / b$r)^2); ratio <- log(a$r / b$r)
    if (a$r > 0 && b$r > 0) put(s, "rmst_ratio", c(exp(ratio), exp(ratio - z * v), exp(ratio + z * v), two_sided(ratio / v, v)))
  })
}
done()
