# Difference of survival or incidence between groups at fixed times, test of complementary log-log transforms (Klein 2007).

KINDS$difference_at_time <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_times(analysis)
  table <- table[!is.na(table$AVAL), , drop = FALSE]
  levels <- level_order(analysis$study, spec$by)
  reference <- spec$reference %or% levels[length(levels)]
  for (level in setdiff(levels, reference)) for (time in unlist(spec$at)) {
    parts <- lapply(c(level, reference), function(name) table[table[[spec$by]] %in% name, , drop = FALSE])
    where <- list(group = level, comparator = reference, time = time)
    if (spec$of == "restricted_mean") mean_difference(analysis, where, parts, time) else one_difference(analysis, where, parts, time)
  }
}

# list(free, error): probability of being free of the event, and the standard error
free_at <- function(spec, part, time) {
  if (spec$of == "incidence") {
    code <- ifelse(part$CNSR == 1, 0, ifelse(part$CNSR == 0, 1, part$CNSR))
    at <- incidence_at(part$AVAL, code, 1, time)
    return(list(free = 1 - at$cif, error = at$error))
  }
  fit <- summary(survfit(Surv(part$AVAL, as.numeric(part$CNSR == 0)) ~ 1), times = time, extend = TRUE)
  list(free = fit$surv, error = fit$std.err)
}

one_difference <- function(analysis, where, parts, time) {
  spec <- analysis$spec
  a <- free_at(spec, parts[[1]], time); b <- free_at(spec, parts[[2]], time)
  sign <- if (spec$of == "incidence") -1 else 1
  difference <- sign * (a$free - b$free); error <- sqrt(a$error^2 + b$error^2)
  z <- stats::qnorm((1 + spec$conf_level) / 2)
  scaled <- function(x) (x$error / (x$free * log(x$free)))^2
  chi <- (log(-log(a$free)) - log(-log(b$free)))^2 / (scaled(a) + scaled(b))
  both <- rbind(parts[[1]], parts[[2]])
  emit(analysis, where, difference = difference, std_err = error, lower = difference - z * error, upper = difference + z * error,
       chi_square = chi, p = stats::pchisq(chi, 1, lower.tail = FALSE), n = nrow(both),
       cum_events = sum(both$AVAL <= time & both$CNSR == 0))
}

# mean time without event until `time`: difference, and ratio with limits on the log scale (Uno et al. 2014)
mean_difference <- function(analysis, where, parts, time) {
  means <- lapply(parts, function(part) {
    row <- summary(survfit(Surv(part$AVAL, as.numeric(part$CNSR == 0)) ~ 1), rmean = time)$table
    list(mean = row[["rmean"]], error = row[["se(rmean)"]], known = time <= max(part$AVAL) || all(part$CNSR[part$AVAL == max(part$AVAL)] == 0))
  })
  a <- means[[1]]; b <- means[[2]]
  both <- rbind(parts[[1]], parts[[2]])
  emit(analysis, where, n = nrow(both), cum_events = sum(both$AVAL <= time & both$CNSR == 0))
  # a curve that ends before the time in somebody censored has no mean until then
  if (!a$known || !b$known) return(invisible())
  z <- stats::qnorm((1 + analysis$spec$conf_level) / 2)
  difference <- a$mean - b$mean; error <- sqrt(a$error^2 + b$error^2)
  p <- function(x) 2 * stats::pnorm(-abs(x))
  emit(analysis, where, difference = difference, std_err = error, lower = difference - z * error, upper = difference + z * error,
       chi_square = (difference / error)^2, p = p(difference / error))
  log_ratio <- log(a$mean / b$mean); relative <- sqrt((a$error / a$mean)^2 + (b$error / b$mean)^2)
  emit(analysis, c(where, term = "Ratio"), ratio = exp(log_ratio), lower = exp(log_ratio - z * relative),
       upper = exp(log_ratio + z * relative), p = p(log_ratio / relative))
}

# patients by the event that ended their time, by censoring, and without a time
KINDS$first_events <- function(analysis) {
  table <- analysed_times(analysis)
  names <- endpoint_events(analysis$outcome$endpoint)
  possible <- unique(c(names$event, names$competing, table$EVENT[!is.na(table$EVENT)]))
  parts <- groups(analysis)
  for (group in names(parts)) {
    part <- table[table$USUBJID %in% parts[[group]], , drop = FALSE]
    where <- function(category) list(group = group, category = category)
    for (event in possible) share(analysis, where(event), sum(part$EVENT %in% event), length(parts[[group]]))
    share(analysis, where("Censored"), sum(part$CNSR %in% 1), length(parts[[group]]))
    if (anyNA(table$AVAL)) share(analysis, where("No time"), sum(is.na(part$AVAL)), length(parts[[group]]))
  }
}
