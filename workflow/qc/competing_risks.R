# Cumulative incidence with competing risks (cmprsk): Aalen's variance, limits on the log-log scale, Gray's test.

# list(cif, error) of one code at times
incidence_at <- function(time, code, which, times) {
  if (!any(code == which)) return(list(cif = rep(0, length(times)), error = rep(0, length(times))))
  fit <- cuminc(time, code, cencode = 0)
  points <- timepoints(fit[names(fit) == paste(1, which)], unique(sort(pmin(times, max(time)))))
  # timepoints knows nothing after the last observation, where the estimate stays as it is
  column <- match(pmin(times, max(time)), as.numeric(colnames(points$est)))
  list(cif = as.numeric(points$est)[column], error = sqrt(as.numeric(points$var))[column])
}

# F^exp(-+z s / (F log F)); no limits at 0 and 1
loglog_limits <- function(cif, error, level) {
  z <- stats::qnorm((1 + level) / 2)
  inside <- !is.na(cif) & cif > 0 & cif < 1 & error > 0
  width <- ifelse(inside, z * error / (cif * log(cif)), NA)
  list(lower = ifelse(inside, cif^exp(-width), NA), upper = ifelse(inside, cif^exp(width), NA))
}

KINDS$cumulative_incidence <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_times(analysis)
  endpoint <- analysis$outcome$endpoint
  causes <- cause_codes(analysis, endpoint, spec)
  parts <- groups(analysis)
  times <- unlist(spec$at)
  for (group in names(parts)) {
    part <- table[table$USUBJID %in% parts[[group]], , drop = FALSE]
    counts(analysis, group, part)
    part <- part[!is.na(part$AVAL), , drop = FALSE]
    if (!nrow(part)) next
    for (cause in names(causes)) {
      code <- part$CNSR; code[part$CNSR == 1] <- 0; code[part$CNSR == 0] <- 1
      at <- incidence_at(part$AVAL, code, causes[[cause]], times)
      known <- times <= max(part$AVAL) | vapply(times, function(t) !any(part$AVAL > t) & all(part$CNSR[part$AVAL == max(part$AVAL)] != 1), TRUE)
      hide <- function(x) ifelse(known, x, NA)
      limits <- loglog_limits(at$cif, at$error, spec$conf_level)
      emit(analysis, list(group = group, category = cause, time = times), cif = hide(at$cif), std_err = hide(at$error),
           lower = hide(limits$lower), upper = hide(limits$upper),
           n_risk = vapply(times, function(t) sum(part$AVAL >= t), 0),
           cum_events = vapply(times, function(t) sum(part$AVAL <= t & code == causes[[cause]]), 0))
      steps <- sort(unique(part$AVAL))
      on <- incidence_at(part$AVAL, code, causes[[cause]], steps)
      limits <- loglog_limits(on$cif, on$error, spec$conf_level)
      curve <- analysis; curve$name <- paste0(analysis$name, "~curve")
      emit(curve, list(group = group, category = cause, time = steps), cif = on$cif, lower = limits$lower, upper = limits$upper,
           n_risk = vapply(steps, function(t) sum(part$AVAL >= t), 0),
           n_event = vapply(steps, function(t) sum(part$AVAL == t & code == causes[[cause]]), 0),
           n_censor = vapply(steps, function(t) sum(part$AVAL == t & code == 0), 0))
    }
  }
  if (length(setdiff(names(parts), "Overall")) > 1 && isTRUE(spec$gray_test)) gray(analysis, table, causes)
}

# cause label -> code: 1 the event of interest, 2 and up the competing events in declared order
cause_codes <- function(analysis, endpoint, spec) {
  names <- if (endpoint$kind %in% c("time_to_event", "state_at_horizon")) endpoint_events(endpoint) else CAUSES[[endpoint$kind]](analysis)
  competing <- names$competing
  codes <- c(stats::setNames(rep(1, length(names$event)), names$event),
             stats::setNames(seq_along(competing) + 1, competing))
  as.list(if (length(spec$causes)) codes[texts(spec$causes)] else codes)
}

gray <- function(analysis, table, causes) {
  part <- table[!is.na(table$AVAL), , drop = FALSE]
  code <- part$CNSR; code[part$CNSR == 1] <- 0; code[part$CNSR == 0] <- 1
  by <- part[[analysis$spec$by]]
  test <- if (length(analysis$spec$strata)) {
    cuminc(part$AVAL, code, by, interaction(part[texts(analysis$spec$strata)], drop = TRUE), cencode = 0)$Tests
  } else cuminc(part$AVAL, code, by, cencode = 0)$Tests
  for (cause in names(causes)) {
    row <- as.character(causes[[cause]])
    if (!row %in% rownames(test)) next
    # cuminc marks a test without variance by a negative statistic
    known <- test[row, "stat"] >= 0
    emit(analysis, list(group = "Overall", term = "Gray's test", category = cause),
         chi_square = if (known) test[row, "stat"] else NA, p = if (known) test[row, "pv"] else NA)
  }
}
