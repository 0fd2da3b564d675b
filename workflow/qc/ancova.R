# Analysis of covariance by `lm`: adjusted means (Searle, Speed and Milliken 1980), their differences, F tests of each term
# beside all others (type III; `drop1`).

# one row per patient with the value at the visit: USUBJID, AVAL, BASE, CHG; the last two NA without a measured baseline
values_with_baseline <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_values(analysis)
  part <- table[table$PARAMCD == spec$parameter & table$AVISIT == spec$visit & table$CENS == "none" & !is.na(table$AVAL), , drop = FALSE]
  change <- changes(analysis, table, part)
  part$CHG <- change$AVAL[match(part$USUBJID, change$USUBJID)]
  part$BASE <- part$AVAL - part$CHG
  part[c("USUBJID", "AVAL", "BASE", "CHG")]
}

# numbers stay, texts become factors of the levels that occur, in their declared order
model_frame <- function(study, table, names) {
  frame <- table[names]
  for (name in names) if (!is.numeric(frame[[name]])) {
    declared <- level_order(study, name)
    found <- unique(as.character(frame[[name]]))
    frame[[name]] <- factor(frame[[name]], c(declared[declared %in% found], sort(setdiff(found, declared))))
  }
  frame
}

# row of the model matrix that stands for one level of `by`: other columns at their mean, levels of factors alike or as observed
adjusted_row <- function(fit, frame, by, level, weights) {
  grids <- lapply(setdiff(names(frame), by), function(name) {
    value <- frame[[name]]
    if (is.factor(value)) {
      share <- if (weights == "equal") rep(1 / nlevels(value), nlevels(value)) else as.numeric(prop.table(table(value)))
      stats::setNames(share[-1], paste0(name, levels(value)[-1]))
    } else stats::setNames(mean(value), name)
  })
  own <- levels(frame[[by]])[-1]
  row <- c(1, as.numeric(own == level), unlist(grids))
  names(row)[seq_len(1 + length(own))] <- c("(Intercept)", paste0(by, own))
  row[names(stats::coef(fit))]
}

KINDS$ancova <- function(analysis) {
  spec <- analysis$spec; study <- analysis$study
  values <- values_with_baseline(analysis)
  people <- analysis$subjects[match(values$USUBJID, analysis$subjects$USUBJID), setdiff(names(analysis$subjects), names(values)), drop = FALSE]
  table <- cbind(values, people)
  response <- if (isTRUE(spec$change)) "CHG" else "AVAL"
  by <- spec$by
  terms <- c(by, if (!isFALSE(spec$baseline)) "BASE", texts(spec$covariates))
  table <- table[stats::complete.cases(table[c(response, terms)]), , drop = FALSE]
  where <- function(...) list(parameter = spec$parameter, variable = response, visit = spec$visit, ...)
  frame <- model_frame(study, table, terms)
  declared <- level_order(study, by)
  reference <- spec$reference %or% declared[length(declared)]
  size <- table(factor(table[[by]], declared))
  for (level in setdiff(names(groups(analysis)), "Overall")) {
    emit(analysis, where(group = level), n = size[[level]])
    if (level != reference) emit(analysis, where(group = level, comparator = reference), n = size[[level]] + size[[reference]])
  }
  if (!nrow(table)) return(invisible())
  if (nlevels(frame[[by]]) < 2) not_covered("analysis of covariance of fewer than two groups")
  if (any(vapply(frame, function(column) is.factor(column) && nlevels(column) < 2, TRUE))) not_covered("factor of one level")
  data <- cbind(.y = table[[response]], frame)
  formula <- stats::as.formula(paste(".y ~", paste(terms, collapse = " + ")))
  fit <- stats::lm(formula, data, contrasts = lapply(Filter(is.factor, frame), function(column) "contr.treatment"))
  df <- fit$df.residual
  if (anyNA(stats::coef(fit)) || df < 1) not_covered("analysis of covariance without a solution")
  variance <- sum(fit$residuals^2) / df
  # a fit that leaves nothing but rounding has no error, and no test
  if (variance < 1e-20 * (mean(data$.y^2) + 1e-300)) not_covered("analysis of covariance without spread")
  cov <- stats::vcov(fit); coef <- stats::coef(fit)
  show <- function(place, name, row, test) {
    value <- sum(row * coef); error <- sqrt(as.numeric(row %*% cov %*% row))
    width <- stats::qt((1 + spec$conf_level) / 2, df) * error
    emit(analysis, place, std_err = error, lower = value - width, upper = value + width)
    do.call(emit, c(list(analysis, place), stats::setNames(list(value), name)))
    if (test) emit(analysis, place, p = 2 * stats::pt(-abs(value / error), df))
  }
  found <- levels(frame[[by]])
  rows <- lapply(stats::setNames(found, found), function(level) adjusted_row(fit, frame, by, level, spec$weights %or% "equal"))
  for (level in found) {
    show(where(group = level), "ls_mean", rows[[level]], FALSE)
    if (level != reference && reference %in% found) {
      show(where(group = level, comparator = reference), "mean_difference", rows[[level]] - rows[[reference]], TRUE)
    }
  }
  tests <- stats::drop1(fit, test = "F")
  for (term in terms) emit(analysis, where(group = "Overall", term = term), f = tests[term, "F value"], p = tests[term, "Pr(>F)"])
  emit(analysis, where(group = "Overall", term = "Residual variance"), variance = variance)
}
