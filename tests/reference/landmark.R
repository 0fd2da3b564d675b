# Reference values of a landmark analysis. Usage: Rscript landmark.R bmt.csv > data/transplant/landmark.csv
# Data set bmt (Klein and Moeschberger): patients at risk of relapse or death after day 100, by chronic GVHD until then.
suppressMessages(library(survival))
d <- read.csv(commandArgs(TRUE)[1])
at <- c(180, 365, 730)
d <- d[d$t2 > 100, ]
d$exposed <- as.integer(d$dc == 1 & d$tc <= 100)
cat("what,group,time,value,lower,upper\n")
for (g in 0:1) {
  m <- d[d$exposed == g, ]
  f <- survfit(Surv(t2, d3) ~ 1, m, conf.type = "log-log")
  s <- summary(f, times = at)
  cat(paste("n", g, "", nrow(m), "", "", sep = ","), "\n", sep = "")
  for (i in seq_along(at))
    cat(paste("survival", g, at[i], format(s$surv[i], digits = 12), format(s$lower[i], digits = 12),
              format(s$upper[i], digits = 12), sep = ","), "\n", sep = "")
}
t <- survdiff(Surv(t2, d3) ~ exposed, d)
cat(paste("logrank", "", "", format(t$chisq, digits = 12), "", "", sep = ","), "\n", sep = "")
d$group <- relevel(factor(d$group), ref = "3")
f <- summary(coxph(Surv(t2, d3) ~ group + exposed, d, ties = "efron"))
for (name in rownames(f$coefficients))
  cat(paste("cox", name, "", format(f$coefficients[name, 1], digits = 12), format(log(f$conf.int[name, 3]), digits = 12),
            format(log(f$conf.int[name, 4]), digits = 12), sep = ","), "\n", sep = "")
