# Reference values for differences at fixed times. Usage: Rscript difference_at_time.R bmt.csv > values.csv
# Data set bmt (Klein and Moeschberger): survival free of relapse and death, incidence of relapse; groups 1 to 3.
# The test is Klein, Logan, Harhoff and Andersen 2007, Stat Med 26:4505: complementary log-log of S, or of 1 - F.
options(width = 500)
suppressMessages({library(survival); library(cmprsk)})
d <- read.csv(commandArgs(TRUE)[1])
d$cause <- ifelse(d$d2 == 1, 1, ifelse(d$d3 == 1, 2, 0))
at <- c(100, 365, 730, 1095)
one <- function(group) {
  f <- survfit(Surv(t2, d3) ~ 1, d[d$group == group, ])
  m <- summary(f, times = at)
  list(s = m$surv, se = m$std.err)
}
inc <- function(group, variance) {
  mine <- d[d$group == group, ]
  if (variance == "aalen") {
    f <- timepoints(cuminc(mine$t2, mine$cause), at)
    return(list(s = f$est[1, ], se = sqrt(f$var[1, ])))
  }
  m <- summary(survfit(Surv(t2, factor(cause, 0:2)) ~ 1, mine), times = at)
  list(s = m$pstate[, 2], se = m$std.err[, 2])
}
cat("of,group,comparator,time,difference,std_err,lower,upper,z,p\n")
compare <- function(name, a, b, ga, gb, free) {
  gap <- a$s - b$s; se <- sqrt(a$se^2 + b$se^2)
  sa <- free(a$s); sb <- free(b$s)
  z <- (log(-log(sa)) - log(-log(sb))) / sqrt((a$se / (sa * log(sa)))^2 + (b$se / (sb * log(sb)))^2)
  for (i in seq_along(at))
    cat(name, ga, gb, at[i], format(c(gap[i], se[i], gap[i] - qnorm(.975) * se[i], gap[i] + qnorm(.975) * se[i], z[i],
        2 * pnorm(-abs(z[i]))), digits = 15), sep = ",", fill = TRUE)
}
for (pair in list(c(1, 3), c(2, 3))) {
  compare("survival", one(pair[1]), one(pair[2]), pair[1], pair[2], identity)
  for (v in c("aalen", "jackknife"))
    compare(paste0("incidence_", v), inc(pair[1], v), inc(pair[2], v), pair[1], pair[2], function(x) 1 - x)
}
