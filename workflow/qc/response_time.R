# Time to response by visit (ruling 14): discrete cumulative incidence, Turnbull's estimate, time in responders.

# data.frame USUBJID, LEFT, RIGHT, TIME, CNSR, EVENT, AVISIT of a rule-set and level
response_times <- function(study, id, rule_set, level) {
  dataset <- find_dataset(study, id)
  source <- find_dataset(study, dataset$source)
  codes <- vapply(find_by(study$reference("response_rules")$rule_sets, "id", rule_set)$levels, function(entry) entry$code, "")
  enough <- codes[seq_len(match(level, codes))]
  table <- responses(study, dataset$source)
  table <- table[table$RULESET == rule_set, , drop = FALSE]
  visits <- Filter(function(visit) !isTRUE(visit$baseline) && is.null(visit$anchor), find_visits(study, source$visits)$visits)
  rows <- lapply(seq_along(study$ids), function(i) {
    origin <- trial_origin(study)[i]
    if (is.na(origin)) return(NULL)
    competing <- vapply(texts(dataset$competing), function(m) study$milestones[[m]]$low[i] - origin, 0)
    one_response_time(study, table[table$USUBJID == study$ids[i], , drop = FALSE], visits, enough, competing, origin,
                      study$milestones$last_alive$low[i] - origin, study$ids[i])
  })
  do.call(rbind, rows)
}

one_response_time <- function(study, own, visits, enough, competing, origin, seen, id) {
  row_at <- function(visit) own[own$AVISIT == visit$label, , drop = FALSE]
  judged_at <- function(row) nrow(row) && row$STATUS %in% c("assessed", "not_evaluable") && !is.na(row$day)
  responds <- function(visit) judged_at(row_at(visit)) && row_at(visit)$AVALC %in% enough
  # an event before the origin is misdated: a response assessed later stands, without one it competes at the first visit
  if (any(vapply(visits, responds, NA))) competing[!is.na(competing) & competing < 0] <- NA
  first <- if (all(is.na(competing))) NA else which.min(competing)
  event_day <- if (is.na(first)) Inf else competing[[first]]
  left <- 0; time <- 0
  done <- function(right, time, cnsr, event, label) data.frame(USUBJID = id, LEFT = left, RIGHT = right, TIME = time, CNSR = cnsr, EVENT = event, AVISIT = label)
  for (visit in visits) {
    target <- visit$day - study$protocol$time$first_day
    row <- row_at(visit)
    if (responds(visit)) return(done(row$day - origin, target, 0, "response", visit$label))
    # without response is known only where every level that counts is known not to be met, while still at risk
    if (judged_at(row) && all(strsplit(row$states, " ")[[1]][seq_along(enough)] == "FALSE") && row$day - origin <= event_day) {
      left <- row$day - origin
    }
    if (event_day <= target) return(done(NA, target, 1 + first, names(competing)[first], NA))
    # who is lost before a visit is censored at the one before it
    if (!judged_at(row) && seen < target) break
    time <- target
  }
  done(NA, time, 1, NA, NA)
}

kept_response_times <- function(analysis) {
  study <- analysis$study; spec <- analysis$spec
  table <- response_times(study, analysis$dataset, spec$rule_set, spec$level)
  key <- paste("adttr", analysis$dataset, spec$rule_set, spec$level)
  if (is.null(study$cache[[key]])) {
    keep_derived(study, analysis$dataset, cbind(RULESET = spec$rule_set, LEVEL = spec$level, table))
    study$cache[[key]] <- TRUE
  }
  table
}

response_label <- function(spec) paste(spec$rule_set, spec$level)

KINDS$response_incidence <- function(analysis) {
  study <- analysis$study; spec <- analysis$spec
  dataset <- find_dataset(study, analysis$dataset)
  table <- kept_response_times(analysis)
  visits <- Filter(function(visit) !isTRUE(visit$baseline) && is.null(visit$anchor),
                   find_visits(study, find_dataset(study, dataset$source)$visits)$visits)
  causes <- c("response", texts(dataset$competing))
  times <- vapply(visits, function(visit) visit$day - study$protocol$time$first_day, 0)
  labels <- vapply(visits, function(visit) visit$label, "")
  for (group in names(groups(analysis))) {
    part <- table[table$USUBJID %in% groups(analysis)[[group]], , drop = FALSE]
    code <- ifelse(part$CNSR == 1, 0, ifelse(part$CNSR == 0, 1, part$CNSR))
    for (i in seq_along(causes)) {
      at <- incidence_at(part$TIME, code, i, times)
      limits <- loglog_limits(at$cif, at$error, spec$conf_level)
      emit(analysis, list(group = group, parameter = response_label(spec), category = causes[i], visit = labels, time = times),
           cif = at$cif, std_err = at$error, lower = limits$lower, upper = limits$upper,
           n_risk = vapply(times, function(t) sum(part$TIME >= t), 0),
           cum_events = vapply(times, function(t) sum(part$TIME <= t & code == i), 0))
    }
  }
}

KINDS$response_turnbull <- function(analysis) {
  spec <- analysis$spec
  table <- kept_response_times(analysis)
  for (group in names(groups(analysis))) {
    part <- table[table$USUBJID %in% groups(analysis)[[group]], , drop = FALSE]
    where <- list(group = group, parameter = response_label(spec))
    emit(analysis, where, n = nrow(part), events = sum(part$CNSR == 0))
    if (!any(part$CNSR == 0)) next
    fit <- npmle(part$LEFT, ifelse(is.na(part$RIGHT), Inf, part$RIGHT))
    known <- is.finite(fit$right)
    emit(analysis, c(where, list(category = paste0("(", fit$left, ", ", fit$right, "]")[known], time = fit$right[known])),
         probability = fit$p[known], survival = (1 - cumsum(fit$p))[known])
  }
}

KINDS$responder_time <- function(analysis) {
  spec <- analysis$spec
  table <- kept_response_times(analysis)
  for (group in names(groups(analysis))) {
    time <- table$TIME[table$USUBJID %in% groups(analysis)[[group]] & table$CNSR == 0]
    where <- list(group = group, parameter = response_label(spec), category = "responders")
    quartile <- function(p) if (length(time)) unname(stats::quantile(time, p, type = 2)) else NA
    emit(analysis, where, n = length(time), median = quartile(.5), q1 = quartile(.25), q3 = quartile(.75), min = quartile(0),
         max = quartile(1))
  }
}
