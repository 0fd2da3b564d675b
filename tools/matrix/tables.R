# Counts, proportions, rates and tables
source(file.path(dirname(gsub("~+~", " ", sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)), fixed = TRUE)), "oracle.R"))
# Miettinen and Nurminen's statistic with the constrained estimates in closed form (Farrington and Manning 1990)
constrained <- function(x1, n1, x2, n2, delta) {
  n <- n1 + n2; c3 <- n; c2 <- (n1 + 2 * n2) * delta - n - x1 - x2
  c1 <- (n2 * delta - n - 2 * x2) * delta + x1 + x2; c0 <- x2 * delta * (1 - delta)
  q <- c2^3 / (27 * c3^3) - c1 * c2 / (6 * c3^2) + c0 / (2 * c3)
  p <- sign(q) * sqrt(max(0, c2^2 / (9 * c3^2) - c1 / (3 * c3)))
  if (q == 0 || p == 0) w <- pi / 3 + pi / 6 else w <- (pi + acos(max(-1, min(1, q / p^3)))) / 3
  p2 <- min(1, max(0, 2 * p * cos(w) - c2 / (3 * c3)))
  c(min(1, max(0, p2 + delta)), p2)
}
score_limits <- function(x1, n1, x2, n2, level, inflate) {
  z <- qnorm(1 - (1 - level) / 2); gap <- x1 / n1 - x2 / n2
  statistic <- function(delta) {
    p <- constrained(x1, n1, x2, n2, delta)
    v <- (p[1] * (1 - p[1]) / n1 + p[2] * (1 - p[2]) / n2) * if (inflate) (n1 + n2) / (n1 + n2 - 1) else 1
    if (v <= 0) return(sign(gap - delta) * 1e10)
    (gap - delta) / sqrt(v)
  }
  solve <- function(low, high, target) uniroot(function(d) statistic(d) - target, c(low, high), tol = 1e-14, maxiter = 500)$root
  c(if (gap <= -1) -1 else quiet(solve(-1 + 1e-13, gap, z)), if (gap >= 1) 1 else quiet(solve(gap, 1 - 1e-13, -z)))
}
# the equations of fisher.test, whose own roots are good to 1.2e-4 only; on the scale of the log odds ratio
odds <- function(m, level) {
  x <- m[1, 1]; row <- sum(m[1, ]); other <- sum(m[2, ]); column <- sum(m[, 1])
  support <- max(0, column - other):min(row, column)
  mass <- function(t) { v <- dhyper(support, row, other, column, log = TRUE) + t * support; v <- exp(v - max(v)); v / sum(v) }
  solve <- function(f) exp(uniroot(f, c(-60, 60), tol = 1e-14, maxiter = 1000)$root)
  low <- min(support); high <- max(support); a <- (1 - level) / 2
  c(if (x == low) 0 else if (x == high) Inf else solve(function(t) sum(support * mass(t)) - x),
    if (x == low) 0 else solve(function(t) sum(mass(t)[support >= x]) - a),
    if (x == high) Inf else solve(function(t) sum(mass(t)[support <= x]) - a))
}
# mantelhaen.test wants two strata: one more in which nothing can vary changes nothing
padded <- function(a) {
  if (dim(a)[3] > 1) return(a)
  more <- array(0, dim(a)[1:2]); more[1, 1] <- 2
  array(c(a, more), c(dim(a)[1:2], 2))
}
wilson <- function(x, n, level) {
  z <- qnorm(1 - (1 - level) / 2); p <- x / n
  (p + z^2 / (2 * n) + c(-1, 1) * z * sqrt(p * (1 - p) / n + z^2 / (4 * n^2))) / (1 + z^2 / n)
}
solid <- function(a) {
  a <- a[, , apply(a, 3, sum) > 1, drop = FALSE]
  if (!dim(a)[3]) return(NULL)
  a <- a[apply(a, 1, sum) > 0, apply(a, 2, sum) > 0, , drop = FALSE]
  if (min(dim(a)[1:2]) < 2) NULL else a
}
# rows and columns as numbers, one entry per subject: sums over strata of what is expected given the margins
scored <- function(a, ridit) {
  d <- as.data.frame.table(a, stringsAsFactors = FALSE)
  d <- data.frame(r = rep(as.numeric(d[[1]]), d$Freq), c = rep(as.numeric(d[[2]]), d$Freq), k = rep(d[[3]], d$Freq))
  rows <- sort(unique(d$r)); T <- numeric(length(rows)); V <- matrix(0, length(rows), length(rows)); L <- 0; LV <- 0
  for (k in unique(d$k)) {
    own <- d[d$k == k, ]; n <- nrow(own)
    if (n < 2) next
    y <- if (ridit) rank(own$c) / (n + 1) else own$c
    x <- if (ridit) rank(own$r) / (n + 1) else own$r
    share <- sapply(rows, function(r) mean(own$r == r))
    T <- T + sapply(rows, function(r) sum((y - mean(y))[own$r == r]))
    V <- V + var(y) * n * (diag(share) - outer(share, share))
    L <- L + sum((x - mean(x)) * (y - mean(y))); LV <- LV + var(x) * var(y) * (n - 1)
  }
  keep <- seq_len(length(rows) - 1)
  means <- quiet(drop(T[keep] %*% solve(V[keep, keep, drop = FALSE]) %*% T[keep]))
  list(means = if (is.null(means) || !is.finite(means)) NA else means, line = if (LV > 0) L^2 / LV else NA)
}
for (s in seq_along(sets)) {
  d <- sets[[s]]
  x <- number(d$x); n <- number(d$n); level <- number(d$level); p0 <- number(d$p0)
  for (side in c("two.sided", "greater", "less")) {
    b <- quiet(binom.test(x[1], n[1], p0, alternative = side, conf.level = level))
    if (!is.null(b)) put(s, paste0("binomial_p_", side), b$p.value)
    if (!is.null(b) && side == "two.sided") put(s, "clopper_pearson", b$conf.int)
  }
  if (n[1] > 0) put(s, "wilson", wilson(x[1], n[1], level))
  if (all(n > 0)) {
    z <- qnorm(1 - (1 - level) / 2)
    w <- lapply(1:2, function(i) wilson(x[i], n[i], level)); p <- x / n; gap <- p[1] - p[2]
    put(s, "newcombe", c(gap - sqrt((p[1] - w[[1]][1])^2 + (w[[2]][2] - p[2])^2), gap + sqrt((w[[1]][2] - p[1])^2 + (p[2] - w[[2]][1])^2)))
    put(s, "miettinen", score_limits(x[1], n[1], x[2], n[2], level, TRUE)); put(s, "mee", score_limits(x[1], n[1], x[2], n[2], level, FALSE))
    put(s, "wald", gap + c(-1, 1) * z * sqrt(sum(p * (1 - p) / n)))
  }
  one <- matrix(c(x, n - x), 2)
  f <- quiet(fisher.test(one, conf.level = level))
  if (!is.null(f)) put(s, "fisher_p", f$p.value)
  put(s, "fisher_odds", odds(one, level))
  for (side in c("greater", "less")) { g <- quiet(fisher.test(one, alternative = side)); if (!is.null(g)) put(s, paste0("fisher_", side), g$p.value) }
  for (correct in c(FALSE, TRUE)) {
    h <- quiet(chisq.test(one, correct = correct)); if (!is.null(h)) put(s, paste0("pearson", as.integer(correct)), c(h$statistic, h$p.value))
    m <- quiet(mcnemar.test(matrix(c(3, x[1], x[2], 4), 2), correct = correct))
    if (!is.null(m)) put(s, paste0("mcnemar", as.integer(correct)), c(m$statistic, m$p.value))
  }
  if (sum(x) > 0) put(s, "mcnemar_exact", binom.test(x[1], sum(x))$p.value)
  k <- number(d$k)
  t <- aperm(array(number(d$square), c(2, 2, k)), c(2, 1, 3))
  t2 <- t[, , apply(t, 3, sum) > 1, drop = FALSE]
  if (dim(t2)[3]) {
    t2 <- padded(t2)
    for (correct in c(FALSE, TRUE)) {
      m <- quiet(mantelhaen.test(t2, correct = correct, conf.level = level))
      if (!is.null(m)) put(s, paste0("mh", as.integer(correct)), c(m$statistic, m$p.value))
      if (!is.null(m) && !correct) { put(s, "mh_odds", m$estimate); if (m$estimate > 0 && is.finite(m$estimate)) put(s, "mh_limits", m$conf.int) }
    }
    m <- quiet(mantelhaen.test(t2, exact = TRUE, conf.level = level)); if (!is.null(m)) put(s, "mh_exact_p", m$p.value)
  }
  shape <- number(d$shape)
  a <- aperm(array(number(d$wide), rev(shape)), c(2, 1, 3))
  dimnames(a) <- lapply(dim(a), function(i) seq_len(i))
  b <- solid(a)
  if (!is.null(b)) {
    m <- if (all(dim(b)[1:2] == 2)) quiet(mantelhaen.test(padded(b), correct = FALSE)) else quiet(mantelhaen.test(padded(b)))
    if (!is.null(m) && is.finite(m$statistic)) put(s, "general", c(m$statistic, m$parameter))
    v <- scored(b, FALSE); put(s, "means", v$means); put(s, "line", v$line)
    v <- scored(b, TRUE); put(s, "means_ridit", v$means); put(s, "line_ridit", v$line)
    flat <- apply(a, c(1, 2), sum)
    w <- quiet(kruskal.test(rep(col(flat), flat), rep(row(flat), flat))); if (!is.null(w)) put(s, "kruskal", c(w$statistic, w$parameter))
  }
  e <- number(d$events); time <- number(d$person)
  r <- quiet(poisson.test(e[1], time[1], conf.level = level)); if (!is.null(r)) put(s, "rate", c(e[1] / time[1], r$conf.int))
}
done()
