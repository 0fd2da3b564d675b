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

# the first patients in the order of the declared variables, then the number
simon_order <- function(analysis, table) {
  adsl <- analysis$study$adsl
  index <- match(table$USUBJID, adsl$USUBJID)
  by <- texts(analysis$spec$order)
  keys <- if (length(by)) lapply(by, function(name) adsl[[name]][index]) else
    list(analysis$study$milestones[[analysis$outcome$endpoint$origin]]$low[index])
  table[do.call(order, c(keys, list(table$USUBJID))), , drop = FALSE]
}

KINDS$simon_two_stage <- function(analysis) {
  design <- analysis$study$protocol$design$simon
  table <- outcome_states(analysis)
  table <- table[table$USUBJID %in% analysis$subjects$USUBJID, , drop = FALSE]
  # a patient who is left out gives the place to the next in order
  table <- simon_order(analysis, table[!is.na(table$AVAL), , drop = FALSE])
  total <- nrow(table); n1 <- design$n1
  if (total < n1) not_covered("a first stage that is not complete")
  x1 <- sum(table$AVAL[seq_len(n1)])
  stage <- if (x1 <= design$r1 && total == n1) 1 else 2
  if (x1 <= design$r1) not_covered("accrual that went on after a stop for futility")
  s <- sum(table$AVAL)
  emit(analysis, simon_where("observed", "stage 1"), n = x1, denominator = n1, decision = if (x1 > design$r1) "continue" else "stop")
  share(analysis, simon_where("observed", "both stages"), s, total)
  # the design's bound holds for its own number of patients alone (ruling 8)
  if (stage == 2) emit(analysis, simon_where("observed", "both stages"), decision = decide(total == design$n && s > design$r, total - design$n))
  simon_estimates(analysis, simon_where("estimates", "success"), s, stage, design, total)
  if (total != design$n) simon_unplanned(analysis, s, x1, design, total)
  if (analysis$scenario == "primary") simon_tables(analysis, design)
  curve <- analysis; curve$name <- paste0(analysis$name, "~curve")
  emit(curve, simon_where("path", paste("patient", seq_len(total))), n = cumsum(table$AVAL), denominator = seq_len(total))
}

decide <- function(reject, excess = 0) {
  paste0(if (reject) "reject p0" else "do not reject p0", if (excess < 0) " (under-running)" else if (excess > 0) " (over-running)" else "")
}

simon_where <- function(table, category) list(group = "Overall", variable = table, category = category)

# another number than planned: the naive exact test, and Koyama and Chen's rule that keeps the conditional error
simon_unplanned <- function(analysis, s, x1, design, total) {
  level <- 1 - 2 * design$alpha
  naive <- simon_where("unplanned", "one-stage exact test (supplementary)")
  limits <- clopper(s, total, level)
  emit(analysis, naive, n = s, denominator = total, percent = 100 * s / total, lower = 100 * limits$lower, upper = 100 * limits$upper,
       p = stats::pbinom(s - 1, total, design$p0, lower.tail = FALSE))
  error <- stats::pbinom(design$r - x1, design$n - design$n1, design$p0, lower.tail = FALSE)
  second <- 0:(total - design$n1 + 1)
  tail <- stats::pbinom(second - 1, total - design$n1, design$p0, lower.tail = FALSE)
  critical <- x1 + second[tail <= error][1]
  emit(analysis, simon_where("unplanned", "rule for the actual number (supplementary)"), conditional_error = error,
       critical = critical, decision = decide(s >= critical),
       p = stats::pbinom(s - x1 - 1, total - design$n1, design$p0, lower.tail = FALSE))
}

simon_estimates <- function(analysis, where, s, stage, design, total) {
  limit <- function(level) simon_limit(level, s, stage, design$r1, design$n1, total)
  emit(analysis, where, mle = 100 * s / total, umvue = 100 * simon_umvue(s, stage, design$r1, design$n1, total),
       median_unbiased = 100 * limit(.5), lower = 100 * limit(design$alpha), upper = 100 * limit(1 - design$alpha),
       # the design's test holds for the planned number only
       p = if (stage == 1 || total == design$n) simon_p(design$p0, s, stage, design$r1, design$n1, total) else NA)
}

simon_tables <- function(analysis, design) {
  at <- function(p) simon_operating(p, design$r1, design$n1, design$r, design$n)
  null <- at(design$p0); other <- at(design$p1)
  emit(analysis, simon_where("design", "design"), p0 = design$p0, p1 = design$p1, alpha = design$alpha, power = design$power, bound1 = design$r1,
       size1 = design$n1, bound = design$r, size = design$n, type1 = null$reject, exact_power = other$reject, stop_p0 = null$stop,
       stop_p1 = other$stop, size_p0 = null$size, size_p1 = other$size)
  named <- grep("^p = ", unique(analysis$study$keys$category[analysis$study$keys$analysis == analysis$name]), value = TRUE)
  for (label in named) {
    o <- at(as.numeric(sub("^p = ([0-9.]+).*$", "\\1", label)))
    emit(analysis, simon_where("characteristics", label), reject = o$reject, stop_early = o$stop, expected_size = o$size)
  }
  curve <- analysis; curve$name <- paste0(analysis$name, "~curve")
  for (p in seq(0, 1, by = .025)) {
    o <- at(p)
    emit(curve, simon_where("characteristics", paste("p =", format(round(p, 3)))), reject = o$reject, stop_early = o$stop, expected_size = o$size)
  }
  alternatives(analysis, design)
}

# optimal, minimax and admissible designs (Jung 2004): weights w of n for which w n + (1 - w) EN(p0) is least
alternatives <- function(analysis, design) {
  found <- simon_search(design$p0, design$p1, design$alpha, design$power, analysis$spec$max_n)
  n <- vapply(found, function(d) d$n, 0); size <- vapply(found, function(d) d$size0, 0)
  low <- rep(0, length(n)); high <- rep(1, length(n))
  for (i in seq_along(n)) for (j in seq_along(n)) if (i != j) {
    # w n_i + (1 - w) e_i <= w n_j + (1 - w) e_j
    slope <- (n[i] - size[i]) - (n[j] - size[j]); gap <- size[j] - size[i]
    if (slope > 0) high[i] <- min(high[i], gap / slope) else if (slope < 0) low[i] <- max(low[i], gap / slope) else if (gap < 0) high[i] <- -1
  }
  keep <- which(low <= high + 1e-12)
  best <- which.min(size); least <- which.min(n)
  for (i in unique(c(best, least, keep))) {
    d <- found[[i]]
    label <- if (i == best) "optimal" else if (i == least) "minimax" else paste("admissible", d$n)
    null <- simon_operating(design$p0, d$r1, d$n1, d$r, d$n); other <- simon_operating(design$p1, d$r1, d$n1, d$r, d$n)
    emit(analysis, simon_where("alternatives", label), bound1 = d$r1, size1 = d$n1, bound = d$r, size = d$n, type1 = null$reject, exact_power = other$reject,
         stop_p0 = null$stop, size_p0 = null$size, weight_low = low[i], weight_high = high[i])
  }
}
