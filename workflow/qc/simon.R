# Simon's two-stage design (ruling 8): decision, exact p-value and interval of Koyama and Chen, UMVUE, alternatives.

# probability to reject after both stages, to stop after the first, and expected size
simon_operating <- function(p, r1, n1, r, n) {
  x <- if (r1 < n1) (r1 + 1):n1 else integer(0)
  stop <- stats::pbinom(r1, n1, p)
  reject <- sum(stats::dbinom(x, n1, p) * stats::pbinom(r - x, n - n1, p, lower.tail = FALSE))
  list(stop = stop, reject = reject, size = n1 + (1 - stop) * (n - n1))
}

# stage-wise order: chance of an outcome at least as good as s successes after stage m
simon_p <- function(p, s, m, r1, n1, n) {
  if (m == 1) return(stats::pbinom(s - 1, n1, p, lower.tail = FALSE))
  x <- (r1 + 1):n1
  sum(stats::dbinom(x, n1, p) * stats::pbinom(s - x - 1, n - n1, p, lower.tail = FALSE))
}

simon_limit <- function(level, s, m, r1, n1, n) {
  gap <- function(p) simon_p(p, s, m, r1, n1, n) - level
  if (gap(0) >= 0) return(0)
  if (gap(1) <= 0) return(1)
  stats::uniroot(gap, c(0, 1), tol = 1e-14)$root
}

simon_umvue <- function(s, m, r1, n1, n) {
  if (m == 1) return(s / n1)
  n2 <- n - n1
  x <- max(r1 + 1, s - n2):min(n1, s)
  sum(choose(n1 - 1, x - 1) * choose(n2, s - x)) / sum(choose(n1, x) * choose(n2, s - x))
}

# design with the least expected size at p0 for each total size, over all that keep alpha and power
simon_search <- function(p0, p1, alpha, power, most) {
  found <- list()
  for (n in 2:most) {
    best <- NULL
    for (n1 in 1:(n - 1)) for (r1 in 0:(n1 - 1)) {
      size <- n1 + stats::pbinom(r1, n1, p0, lower.tail = FALSE) * (n - n1)
      if (!is.null(best) && size >= best$size0 - 1e-12) next
      if (stats::pbinom(r1, n1, p1, lower.tail = FALSE) < power) next
      x <- (r1 + 1):n1
      bound <- r1:(n - 1)
      tail0 <- vapply(bound, function(r) sum(stats::dbinom(x, n1, p0) * stats::pbinom(r - x, n - n1, p0, lower.tail = FALSE)), 0)
      r <- bound[tail0 <= alpha][1]
      if (is.na(r)) next
      if (sum(stats::dbinom(x, n1, p1) * stats::pbinom(r - x, n - n1, p1, lower.tail = FALSE)) < power) next
      best <- list(r1 = r1, n1 = n1, r = r, n = n, size0 = size)
    }
    if (!is.null(best)) found[[length(found) + 1]] <- best
  }
  found
}
