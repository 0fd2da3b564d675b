# Samples of measurements
source(file.path(dirname(gsub("~+~", " ", sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)), fixed = TRUE)), "oracle.R"))
suppressMessages({library(survival); library(exactRankTests); library(npsurv)})
options(contrasts = c("contr.treatment", "contr.poly"))
# all sign patterns of the ranks of the sizes, zeros ranked and then left out
pratt <- function(d) {
  r <- rank(abs(d))[d != 0]; sign <- d[d != 0] > 0; n <- length(r)
  if (!n || n > 12) return(NULL)
  sums <- drop(as.matrix(expand.grid(rep(list(0:1), n))) %*% r); v <- sum(r[sign])
  c(v, min(1, 2 * min(mean(sums <= v + 1e-9), mean(sums >= v - 1e-9))))
}
t_numbers <- function(t) if (!is.null(t) && is.finite(t$statistic)) c(t$conf.int, t$statistic, t$parameter, t$p.value)
for (s in seq_along(sets)) {
  d <- sets[[s]]; x <- number(d$x); y <- number(d$y); pair <- number(d$pair)
  if (length(x)) put(s, "quantiles", c(quantile(x, c(.1, .25, .5, .75, .9), type = 2), mean(x), if (length(x) > 1) sd(x) else NA))
  for (correct in c(TRUE, FALSE)) {
    w <- quiet(wilcox.test(x, y, exact = FALSE, correct = correct))
    if (!is.null(w)) put(s, paste0("rank_sum", as.integer(correct)), c(w$statistic, w$p.value))
    w <- quiet(wilcox.test(pair, exact = FALSE, correct = correct))
    if (!is.null(w) && any(pair != 0)) put(s, paste0("signed", as.integer(correct)), c(w$statistic, w$p.value))
  }
  w <- quiet(wilcox.exact(x, y)); if (!is.null(w) && length(x) && length(y)) put(s, "rank_sum_exact", c(w$statistic, w$p.value))
  w <- quiet(wilcox.exact(pair)); if (!is.null(w) && any(pair != 0)) put(s, "signed_exact", c(w$statistic, w$p.value))
  if (length(pair) <= 12) put(s, "pratt", pratt(pair))
  if (!anyDuplicated(c(x, y)) && length(x) && length(y)) {
    w <- quiet(wilcox.test(x, y, conf.int = TRUE, exact = TRUE))
    if (!is.null(w)) put(s, "shift", c(w$estimate, if (attr(w$conf.int, "conf.level") == .95 && all(is.finite(w$conf.int))) w$conf.int else c(NA, NA)))
  }
  g <- number(d$group); z <- number(d$z)
  k <- quiet(kruskal.test(z, g)); if (!is.null(k)) put(s, "kruskal", c(k$statistic, k$parameter, k$p.value))
  put(s, "t_one", t_numbers(quiet(t.test(pair))))
  put(s, "t_welch", t_numbers(quiet(t.test(x, y)))); put(s, "t_pooled", t_numbers(quiet(t.test(x, y, var.equal = TRUE))))
  b <- number(d$base)
  for (m in c("pearson", "spearman", "kendall")) {
    r <- quiet(cor.test(b, z, method = m, exact = FALSE)); if (!is.null(r)) put(s, m, c(r$estimate, r$p.value))
  }
  r <- quiet(cor.test(b, z)); if (!is.null(r$conf.int)) put(s, "pearson_limits", r$conf.int)
  p <- number(d$p)
  for (m in c("bonferroni", "holm", "hochberg", "hommel", "BH", "BY")) put(s, paste0("adjust_", tolower(m)), p.adjust(p, m))
  a <- data.frame(z = z, g = factor(g), b = b, f = factor(number(d$factor)))
  terms <- c(if (nlevels(a$g) > 1) "g", "b", if (nlevels(a$f) > 1) "f")
  f <- quiet(lm(reformulate(terms, "z"), a))
  if (!is.null(f) && f$df.residual > 0 && !anyNA(coef(f)) && nlevels(a$g) == 3) {
    v <- quiet(vcov(f)); e <- deviance(f) > 1e-20
    for (n in c("g2", "g3")) put(s, paste0("ancova_", n), c(coef(f)[n], if (e) c(sqrt(v[n, n]), confint(f)[n, ], summary(f)$coefficients[n, 4])))
    if (e) { h <- drop1(f, test = "F"); put(s, "ancova_f", c(h["g", "F value"], h["b", "F value"], h["g", "Pr(>F)"])) }
    grid <- expand.grid(g = levels(a$g), f = levels(a$f)); grid$b <- mean(b); m <- model.matrix(delete.response(terms(f)), grid)
    for (w in c("equal", "proportional")) {
      share <- if (w == "equal") rep(1, nlevels(a$f)) / nlevels(a$f) else table(a$f) / nrow(a)
      for (l in levels(a$g)) {
        row <- colSums(m[grid$g == l, , drop = FALSE] * as.numeric(share[grid$f[grid$g == l]]))
        put(s, paste0("mean_", w, l), c(sum(row * coef(f)), if (e) sqrt(drop(row %*% v %*% row))))
      }
    }
  }
  low <- number(d$low); high <- number(d$high)
  if (any(low == high)) {
    l <- ifelse(is.infinite(low), NA, low); u <- ifelse(is.infinite(high), NA, high)
    f <- quiet(survreg(Surv(l, u, type = "interval2") ~ b, dist = "gaussian", control = survreg.control(rel.tolerance = 1e-13, maxiter = 500)))
    if (!is.null(f) && all(is.finite(f$var)) && f$scale > 1e-4 && all(abs(coef(f)) < 1e3) && all(diag(f$var) < 1e6 & diag(f$var) > 0) && !anyNA(coef(f)))
      { put(s, "tobit", c(coef(f), f$scale)); put(s, "tobit_se", sqrt(diag(f$var))); put(s, "tobit_loglik", f$loglik[2]) }
  }
  left <- number(d$left); right <- number(d$right)
  if (length(left)) put(s, "turnbull", quiet(npsurv(cbind(left, right), tol = 1e-12, maxit = 5000)$ll))
}
done()
