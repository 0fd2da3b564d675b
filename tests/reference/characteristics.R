# Reference values for operating characteristics. Usage: Rscript characteristics.R > data/characteristics/values.csv
# Base R alone: binom.test, pbinom, dbinom, uniroot, pnorm. One line per design, truth and quantity.
options(digits = 15)
out <- function(design, p, quantity, value) cat(design, p, quantity, format(value, digits = 15), sep = ",", fill = TRUE)
cat("design,p,quantity,value\n")

# one stage: n patients, interval of Clopper and Pearson, exact one-sided test of p0
one_stage <- function(name, n, level, p0 = NA) {
  x <- 0:n
  ci <- 100 * sapply(x, function(k) binom.test(k, n, conf.level = level)$conf.int)
  for (p in c(.3, .4, .5, .6, .7, .8, .9, .95)) {
    w <- dbinom(x, n, p)
    if (!is.na(p0)) {
      pv <- sapply(x, function(k) binom.test(k, n, p0, "greater")$p.value)
      out(name, p, "rejects", pbinom(min(x[pv <= (1 - level) / 2]) - 1, n, p, lower.tail = FALSE))
    }
    out(name, p, "coverage", sum(w[ci[1, ] <= 100 * p & 100 * p <= ci[2, ]]))
    out(name, p, "mean width", sum(w * (ci[2, ] - ci[1, ])))
    out(name, p, "empirical standard error", 100 * sqrt(p * (1 - p) / n))
  }
}
one_stage("42 patients 90 % against 0.4", 42, .90, .4)
one_stage("42 patients 95 %", 42, .95)
one_stage("29 patients 95 %", 29, .95)

# two stages: 4/6 then 16/20, alpha .10 (interval of level 80 %), p0 .70
r1 <- 4; n1 <- 6; r <- 16; n <- 20; n2 <- n - n1; alpha <- .10
tail <- function(x, p) if (x <= r1) pbinom(x - 1, n1, p, FALSE) else
  sum(sapply((r1 + 1):n1, function(a) dbinom(a, n1, p) * pbinom(x - a - 1, n2, p, FALSE)))
solve1 <- function(x, target) uniroot(function(p) tail(x, p) - target, c(0, 1), tol = 1e-13)$root
umvue <- function(x) {
  if (x <= r1) return(x / n1)
  a <- max(r1 + 1, x - n2):min(n1, x)
  sum(choose(n1 - 1, a - 1) * choose(n2, x - a)) / sum(choose(n1, a) * choose(n2, x - a))
}
x <- c(0:r1, (r1 + 1):n)                     # results that can occur: stopped with x, or x of all
stopped <- x <= r1
size <- ifelse(stopped, n1, n)
prob <- function(p) ifelse(stopped, dbinom(x, n1, p),
  sapply(x, function(k) sum(sapply((r1 + 1):n1, function(a) dbinom(a, n1, p) * dbinom(k - a, n2, p)))))
mle <- x / size
um <- sapply(x, umvue)
med <- sapply(x, function(k) if (k == 0) NA else solve1(k, .5))
lo <- sapply(x, function(k) if (k == 0) 0 else solve1(k, alpha))
up <- sapply(x, function(k) if (k == 0) NA else solve1(k, 1 - alpha))
naive <- 100 * sapply(seq_along(x), function(i) binom.test(x[i], size[i])$conf.int)
name <- "4/6 then 16/20"
for (p in c(.6, .7, .8, .9, .95)) {
  w <- prob(p); known <- x > 0; v <- w[known] / sum(w[known])
  stopifnot(abs(sum(w) - 1) < 1e-12)
  out(name, p, "rejects", sum(w[!stopped & x > r]))
  out(name, p, "stop after stage 1", sum(w[stopped]))
  out(name, p, "patients", sum(w * size))
  out(name, p, "bias mle", 100 * sum(w * (mle - p)))
  out(name, p, "bias umvue", 100 * sum(w * (um - p)))
  out(name, p, "bias median", 100 * sum(v * (med[known] - p)))
  out(name, p, "coverage two-stage", sum(v[lo[known] <= p & p <= up[known]]))
  out(name, p, "coverage one-stage", sum(w[naive[1, ] <= 100 * p & 100 * p <= naive[2, ]]))
  out(name, p, "undefined", sum(w[!known]))
}

# two arms: strata with shares and factors on the hazard, constant hazards, 2-year probabilities over all strata
share <- c(.28, .47, .25) %o% c(.78, .22); factor <- c(1, 1, 1) %o% c(1, 1.3)
rate <- function(s) uniroot(function(h) sum(share * exp(-h * factor * 730)) - s, c(1e-9, .1), tol = 1e-16)$root
for (treated in c(.5, .7, .75)) out("two arms against 0.5", treated, "log hazard ratio", log(rate(treated) / rate(.5)))

# Schoenfeld 1981, Biometrika 68:316: 124 patients 1:1, all followed for 730 days, .50 against .70, two-sided 5 %
events <- 124 * (1 - (.5 + .7) / 2)
out("Schoenfeld", .7, "power", pnorm(abs(log(log(.7) / log(.5))) * sqrt(events / 4) - qnorm(.975)))
