# Organ failure score per patient and day: status, missing components (ruling 16), totals; the response that rests on it.

# data.frame per patient, day and parameter: USUBJID, PARAMCD, ATIME, AVISIT, AVAL, STATUS, NOBS, FILL
sofa_table <- function(study, id) {
  key <- paste("sofa", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  definition <- sofa_definition(study, dataset)
  observations <- sofa_observations(study, id)
  visits <- find_visits(study, dataset$visits)$visits
  for (visit in visits) if (visit$window[[1]] != visit$window[[2]]) not_covered("organ failure score in a window of several days")
  if (day_begins(study, dataset) != 0) not_covered("organ failure score of days that do not begin at midnight")
  frames <- lapply(visits, function(visit) visit_frame(study, visit))
  targets <- vapply(frames, function(frame) frame$target, 0)
  base <- vapply(visits, function(visit) isTRUE(visit$baseline), NA)
  labels <- vapply(visits, function(visit) visit$label, "")
  origin <- trial_origin(study)
  first <- study$milestones[[dataset$first_dose %or% study$protocol$time$origin]]
  parts <- list()
  for (i in which(!is.na(origin))) {
    patient <- patient_days(study, dataset, definition, observations, i)
    for (time in 0:max(targets)) {
      visit <- match(time, targets)
      baseline <- !is.na(visit) && base[visit]
      status <- sofa_status(study, dataset, i, origin[i] + time)
      # a day after death has a row where a visit was due
      if (is.na(visit) && status %in% "dead") next
      dose <- if (baseline) dose_stamp(first, i) else NULL
      day <- fill_day(patient, origin[i] + time, status, definition, dose)
      rows <- sofa_totals(day, definition, status)
      rows$USUBJID <- study$ids[i]; rows$ATIME <- time; rows$AVISIT <- labels[visit]; rows$STATUS <- status
      parts[[length(parts) + 1]] <- rows
    }
  }
  table <- do.call(rbind, parts)
  base_rows <- table[table$AVISIT %in% labels[base], , drop = FALSE]
  table$BASE <- base_rows$AVAL[match(paste(table$USUBJID, table$PARAMCD), paste(base_rows$USUBJID, base_rows$PARAMCD))]
  keep_derived(study, id, table[c("PARAMCD", "USUBJID", "ATIME", "AVISIT", "AVAL", "STATUS", "NOBS", "FILL", "BASE")])
  study$cache[[key]] <- table
  table
}

VALUES$sofa <- function(study, id) {
  table <- sofa_table(study, id)
  table <- table[!is.na(table$AVISIT) & !is.na(table$AVAL), , drop = FALSE]
  cbind(table[c("USUBJID", "PARAMCD", "AVISIT", "AVAL")], AVALC = rep(NA_character_, nrow(table)), CENS = rep("none", nrow(table)),
        LLOQ = rep(NA_real_, nrow(table)), ULOQ = rep(NA_real_, nrow(table)), text = rep(FALSE, nrow(table)),
        unit = rep("{score}", nrow(table)))
}

# icu, ward (after live discharge from intensive care), discharged (from hospital), dead, lost or not_reached
sofa_status <- function(study, dataset, i, day) {
  # a partial date of leaving or coming back is as late as it can be
  when <- function(name) if (is.null(name)) NA_real_ else study$milestones[[name]]$high[i]
  death <- study$milestones$death$low[i]
  if (!is.na(death) && death <= day) return("dead")
  if (day > days(study$protocol$data_cutoff)) return("not_reached")
  if (is.na(death) && (is.na(study$milestones$last_alive$low[i]) || study$milestones$last_alive$low[i] < day)) return("lost")
  # a discharge before the admission is an error of the data, and not used
  admitted <- if (is.null(dataset$icu_admission)) NA_real_ else study$milestones[[dataset$icu_admission]]$low[i]
  leaving <- function(name) { day <- when(name); if (!is.na(day) && !is.na(admitted) && day < admitted) NA else day }
  home <- leaving(dataset$hospital_discharge)
  if (!is.na(home) && home < day) return("discharged")
  left <- leaving(dataset$icu_discharge); back <- when(dataset$icu_readmission)
  if (is.na(left) || left >= day) return("icu")
  # back in the unit after the discharge
  out <- study$milestones[[dataset$icu_discharge]]$low[i]
  if (!is.na(back) && (is.na(out) || back >= out) && back <= day) "icu" else "ward"
}

# moment of the first dose, minutes since 1970: the last minute of its day without a time, infinite where there is none
dose_stamp <- function(first, i) {
  stamp <- first$high[i] * 1440 + (if (is.na(first$time[i])) 1439 else first$time[i])
  if (is.na(stamp)) Inf else stamp
}

patient_days <- function(study, dataset, definition, observations, i) {
  id <- study$ids[i]
  under <- attr(observations, "under")
  list(rows = observations[observations$USUBJID == id, , drop = FALSE], under = under[under$USUBJID == id, , drop = FALSE],
       begins = day_begins(study, dataset))
}

# worst points of the observations of a component on a day, NA where none is an observation; not after a moment if given
worst_on <- function(rows, day, until = NULL) {
  rows <- rows[rows$day == day & (is.na(rows$stamp) | rows$stamp <= (until %or% Inf)), , drop = FALSE]
  if (any(rows$observed)) max(rows$points) else NA_real_
}

last_day <- function(rows, before) {
  found <- rows$day[rows$observed & rows$day < before]
  if (length(found)) max(found) else NA_real_
}

# points and source of every component on a day; `dose` given: the baseline, which precedes it
fill_day <- function(patient, day, status, definition, dose) {
  found <- lapply(definition$components, function(component) {
    rows <- patient$rows[patient$rows$component == component$code, , drop = FALSE]
    one_component(component, rows, patient, day, status, definition, dose)
  })
  points <- vapply(found, function(x) x$points, 0); fill <- vapply(found, function(x) x$fill, "")
  # a baseline of which nothing is known is no baseline of 0
  if (!is.null(dose) && all(fill %in% c("baseline_zero", "missing"))) { points[] <- NA; fill[] <- "missing" }
  list(points = points, fill = fill)
}

component_value <- function(points, fill) list(points = points, fill = fill)

one_component <- function(component, rows, patient, day, status, definition, dose) {
  if (status %in% c("dead", "not_reached")) return(component_value(NA_real_, NA_character_))
  limits <- definition$fill
  own <- worst_on(rows, day, dose)
  if (!is.na(own)) return(component_value(own, "observed"))
  if (status == "lost") return(component_value(NA_real_, "missing"))
  if (status %in% c("ward", "discharged")) {
    if (component$ward == "zero") return(component_value(0, "ward_zero"))
    carried <- rows[rows$parameter %in% texts(component$carried %or% component$observed_by), , drop = FALSE]
    last <- last_day(carried, day)
    return(if (is.na(last)) component_value(NA_real_, "missing") else component_value(worst_on(carried, last), "ward_last"))
  }
  # under the flag the last value that counted, measured before it or assumed, however long ago
  flagged <- patient$under$day == day & (is.na(patient$under$stamp) | patient$under$stamp <= (dose %or% Inf))
  if (any(flagged) && any(parameter_of(definition$unless, definition) %in% texts(component$observed_by))) {
    last <- last_day(rows, day)
    if (!is.na(last)) return(component_value(worst_on(rows, last), "pre_sedation"))
  }
  baseline <- !is.null(dose)
  near <- near_day(rows, day, patient$begins, 60 * as.numeric(limits$within_hours), dose %or% Inf)
  if (!is.na(near)) return(component_value(near, "within_6h"))
  last <- last_day(rows, day)
  if (!is.na(last) && day - last <= as.numeric(limits$last_hours) / 24) return(component_value(worst_on(rows, last), "locf"))
  if (baseline) component_value(as.numeric(limits$baseline), "baseline_zero") else component_value(NA_real_, "missing")
}

# parameters of the measures that the flag sets aside
parameter_of <- function(rule, definition) {
  measures <- Filter(function(measure) measure$code %in% texts(rule$measures), definition$measures)
  unlist(lapply(measures, function(measure) vapply(measure$units, function(unit) unit$parameter, "")))
}

# the worst timed observation at most so many minutes before or after the day, up to the first dose for a baseline
near_day <- function(rows, day, begins, within, until) {
  from <- day * 1440 + begins - within; to <- from + 1440 + 2 * within
  near <- rows$timed & rows$stamp < to & (rows$stamp >= from | rows$end > from) & rows$stamp <= until
  if (any(near & rows$observed)) max(rows$points[near]) else NA_real_
}

# rows of the components and of the totals of one day
sofa_totals <- function(day, definition, status) {
  codes <- vapply(definition$components, function(component) component$code, "")
  observed <- sum(day$fill %in% "observed")
  other <- !is.na(day$fill) & day$fill != "observed"
  words <- if (any(other)) paste(paste(codes[other], day$fill[other]), collapse = "; ") else NA_character_
  total <- function(entry) {
    if (status == "dead") return(as.numeric(entry$dead %or% NA))
    if (status == "not_reached") return(NA_real_)
    if (identical(entry$missing, "observed")) return(if (observed == length(codes)) sum(day$points) else NA_real_)
    points <- day$points
    if (!is.null(entry$missing)) points[is.na(points)] <- as.numeric(entry$missing)
    sum(points)
  }
  totals <- vapply(definition$totals, function(entry) entry$code, "")
  data.frame(PARAMCD = c(codes, totals), AVAL = c(day$points, vapply(definition$totals, total, 0)),
             NOBS = if (status %in% c("dead", "not_reached")) NA else observed, FILL = c(day$fill, rep(words, length(totals))))
}

# ---- response ---------------------------------------------------------------------------------------------

# data.frame per patient: USUBJID, AVALC (success, no_decrease, dead, missing), AVAL, ADT, ATIME, BASE, SCORE, CHG
sofa_response <- function(study, outcome) {
  endpoint <- outcome$endpoint
  source <- find_dataset(study, endpoint$dataset)$source
  table <- sofa_table(study, source)
  visits <- find_visits(study, find_dataset(study, source)$visits)$visits
  visit <- find_by(visits, "label", endpoint$visit)
  first <- Filter(function(entry) isTRUE(entry$baseline), visits)[[1]]
  score_at <- function(label, parameter) {
    rows <- table[table$PARAMCD == parameter & table$AVISIT %in% label, , drop = FALSE]
    rows$AVAL[match(study$ids, rows$USUBJID)]
  }
  base <- score_at(first$label, endpoint$parameter); score <- score_at(endpoint$visit, endpoint$parameter)
  frame <- visit_frame(study, visit)
  day <- frame$origin + frame$target
  death <- study$milestones[[endpoint$death]]$low
  dead <- !is.na(death) & death <= day
  change <- score - base
  state <- ifelse(dead, "dead", ifelse(is.na(change), "missing", ifelse(change <= -endpoint$decrease, "success", "no_decrease")))
  success <- ifelse(state == "success", 1, 0)
  success[state == "missing"] <- switch(endpoint$missing, exclude = NA, success = 1, failure = 0)
  end <- ifelse(dead, death, day)
  origin <- study$milestones[[endpoint$origin]]$low
  success[failed_between(study, outcome, origin, end)] <- 0
  data.frame(USUBJID = study$ids, AVALC = state, AVAL = success, ADT = end, ATIME = end - origin, BASE = base, SCORE = score, CHG = change)
}
