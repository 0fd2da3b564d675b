# Cochran-Mantel-Haenszel statistics of R x C tables in strata (Landis, Heyman and Koch 1978), the odds ratio of Mantel and
# Haenszel with the variance of Robins, Breslow and Greenland 1986. `mantelhaen.test` has only general association, and
# neither one stratum nor a stratum of one patient: the statistics are quadratic forms of observed less expected counts,
# which have the multivariate hypergeometric covariance of each stratum.

# list(chi_square, df) of A (observed less expected), A = linear functions of the counts of each stratum
quadratic_form <- function(gap, cov) {
  own <- eigen((cov + t(cov)) / 2, symmetric = TRUE)
  keep <- own$values > 1e-10 * max(own$values, 0)
  if (!any(keep)) return(list(chi_square = NA_real_, df = 0))
  along <- as.numeric(t(own$vectors[, keep, drop = FALSE]) %*% gap)
  list(chi_square = sum(along^2 / own$values[keep]), df = sum(keep))
}

# scores of a margin: 1, 2, 3, or the mean ranks over n + 1, the weights of van Elteren 1960
margin_scores <- function(margin, kind) {
  if (kind == "table") return(seq_along(margin))
  (cumsum(margin) - margin + (margin + 1) / 2) / (sum(margin) + 1)
}

# tables: R x C x K. `kind`: general, rows (mean scores differ) or correlation
cmh_statistic <- function(tables, kind, scores) {
  gap <- 0; cov <- 0
  for (k in seq_len(dim(tables)[3])) {
    counts <- matrix(tables[, , k], dim(tables)[1], dim(tables)[2])
    n <- sum(counts)
    if (n < 2) next
    row <- rowSums(counts) / n; column <- colSums(counts) / n
    r <- switch(kind, correlation = t(margin_scores(rowSums(counts), scores)), diag(length(row)))
    c <- switch(kind, general = diag(length(column)), t(margin_scores(colSums(counts), scores)))
    spread_r <- diag(row, length(row)) - outer(row, row); spread_c <- diag(column, length(column)) - outer(column, column)
    gap <- gap + as.numeric(r %*% (counts - n * outer(row, column)) %*% t(c))
    cov <- cov + n^2 / (n - 1) * kronecker(c %*% spread_c %*% t(c), r %*% spread_r %*% t(r))
  }
  if (length(cov) == 1 && is.null(dim(cov))) return(list(chi_square = NA_real_, df = 0))
  quadratic_form(gap, cov)
}

# odds ratio of the first answer of 2 x 2 x K tables with its limits
mantel_haenszel <- function(tables, level) {
  n <- apply(tables, 3, sum); tables <- tables[, , n > 0, drop = FALSE]; n <- n[n > 0]
  a <- tables[1, 1, ]; b <- tables[1, 2, ]; c <- tables[2, 1, ]; d <- tables[2, 2, ]
  r <- a * d / n; s <- b * c / n; p <- (a + d) / n; q <- (b + c) / n
  if (!sum(s)) return(NULL)
  if (!sum(r)) return(list(ratio = 0, lower = NA, upper = NA))
  ratio <- sum(r) / sum(s)
  error <- sqrt(sum(p * r) / (2 * sum(r)^2) + sum(p * s + q * r) / (2 * sum(r) * sum(s)) + sum(q * s) / (2 * sum(s)^2))
  z <- stats::qnorm((1 + level) / 2)
  list(ratio = ratio, lower = ratio * exp(-z * error), upper = ratio * exp(z * error))
}

KINDS$cmh <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_values(analysis)
  part <- table[table$PARAMCD == spec$parameter & table$AVISIT == spec$visit & !is.na(table$AVALC), , drop = FALSE]
  categories <- texts(spec$categories); strata <- texts(spec$strata)
  subjects <- analysis$subjects[match(part$USUBJID, analysis$subjects$USUBJID), , drop = FALSE]
  declared <- level_order(analysis$study, spec$by)
  complete <- stats::complete.cases(subjects[c(spec$by, strata)])
  part <- part[complete, , drop = FALSE]; subjects <- subjects[complete, , drop = FALSE]
  group <- factor(subjects[[spec$by]], declared)
  stratum <- if (length(strata)) interaction(subjects[strata], drop = TRUE) else factor(rep("all", nrow(part)))
  tables <- table(group, factor(part$AVALC, categories), stratum)
  where <- function(...) list(parameter = spec$parameter, variable = "AVALC", visit = spec$visit, ...)
  present <- declared[rowSums(tables) > 0]
  for (level in present) for (category in categories) {
    share(analysis, where(group = level, category = category), sum(tables[level, category, ]), sum(tables[level, , ]))
  }
  terms <- c(general = "General association", rows = "Row mean scores differ", correlation = "Non-zero correlation")
  for (kind in names(terms)) {
    test <- cmh_statistic(tables[present, , , drop = FALSE], kind, spec$scores %or% "table")
    emit(analysis, where(group = "Overall", term = terms[[kind]]), chi_square = test$chi_square,
         p = stats::pchisq(test$chi_square, test$df, lower.tail = FALSE))
  }
  if (length(categories) != 2) return(invisible())
  reference <- spec$reference %or% declared[length(declared)]
  if (!reference %in% present) return(invisible())
  for (level in setdiff(present, reference)) {
    two <- tables[c(level, reference), , , drop = FALSE]
    test <- cmh_statistic(two, "general", "table")
    odds <- mantel_haenszel(two, spec$conf_level)
    place <- where(group = level, comparator = reference, category = categories[1])
    emit(analysis, place, chi_square = test$chi_square, p = stats::pchisq(test$chi_square, 1, lower.tail = FALSE))
    if (!is.null(odds)) emit(analysis, place, odds_ratio = odds$ratio, lower = odds$lower, upper = odds$upper)
    # where R's own test applies it is what this must be
    if (dim(two)[3] > 1 && all(apply(two, 3, sum) > 1) && sum(two) && all(apply(two, 1:2, sum) > 0) && !is.null(odds) && odds$ratio > 0) {
      own <- stats::mantelhaen.test(two, correct = FALSE, conf.level = spec$conf_level)
      stopifnot(abs(own$statistic - test$chi_square) < 1e-8 * (1 + test$chi_square), abs(own$estimate / odds$ratio - 1) < 1e-8)
    }
  }
}
