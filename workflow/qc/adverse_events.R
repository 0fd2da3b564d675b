# Adverse events in a window (ruling 18): patients, events, worst grade, rates of first events.

MONTH <- 30.4375

# first and last day of a window per patient
window_days <- function(study, window) {
  start <- study$milestones[[window$start]]$low
  end <- study$milestones$last_alive$low
  end[] <- Inf
  for (id in texts(window$ends)) end <- pmin(end, study$milestones[[id]]$low, na.rm = TRUE)
  for (id in texts(window$before)) end <- pmin(end, study$milestones[[id]]$low - 1, na.rm = TRUE)
  if (!is.null(window$until)) end <- pmin(end, start + window$until, na.rm = TRUE)
  if (!is.null(window$extend)) end <- end + window$extend
  list(start = start, end = end)
}

# events of the clean domain whose onset is, or may be, in the window
window_events <- function(study, dataset, window) {
  ae <- clean(study, dataset$domain)
  # an attribute that a trial does not record is missing in every event
  for (name in setdiff(c("AETOXGR", "AESEV", "AESER", "AEREL", "AEOUT"), names(ae))) ae[[name]] <- rep(NA_character_, nrow(ae))
  index <- match(ae$USUBJID, study$ids)
  span <- window_days(study, window)
  start <- span$start[index]; end <- span$end[index]
  # a partial onset is its first possible day, or the day of the first dose where that is possible; an unknown one
  # counts in every window that the event did not end before
  low <- days(ae$AESTDT_LO); high <- days(ae$AESTDT_HI)
  origin <- study$milestones[[study$protocol$time$origin]]$low[index]
  day <- ifelse(!is.na(origin) & low <= origin & origin <= high, origin, low)
  over <- days(ae$AEENDT_HI)
  inside <- !is.na(start) & ifelse(is.na(day), is.na(over) | over >= start, day >= start & day <= end)
  ae$onset <- ifelse(is.na(day), start, day)
  ae$ASTDT <- day_text(day)
  for (list in dataset$lists) ae[[list$variable]] <- marked(study, list, ae)
  keep_window(study, dataset, window, ae, inside %in% TRUE)
  ae[inside, , drop = FALSE]
}

# every event with its onset and the flag of each window, once per dataset and window
keep_window <- function(study, dataset, window, ae, inside) {
  key <- paste("window", dataset$id, window$id)
  if (!is.null(study$cache[[key]]) || !nrow(ae)) return(invisible())
  study$cache[[key]] <- TRUE
  if (is.null(study$derived[[dataset$id]])) {
    keep_derived(study, dataset$id, data.frame(row_id = sub("^[^:]*", dataset$id, ae$row_id), ASTDT = ae$ASTDT))
  }
  study$derived[[dataset$id]][[window$variable]] <- ifelse(inside, "Y", "N")
}

KINDS$adverse_events <- function(analysis) {
  study <- analysis$study; spec <- analysis$spec
  dataset <- find_dataset(study, analysis$dataset)
  window <- Filter(function(entry) entry$id == spec$window, dataset$windows)[[1]]
  events <- matching(window_events(study, dataset, window), spec$where)
  for (group in names(groups(analysis))) {
    members <- groups(analysis)[[group]]
    part <- events[events$USUBJID %in% members, , drop = FALSE]
    displays <- texts(spec$displays)
    if ("overview" %in% displays) overview(analysis, group, part, members)
    # classes and terms of any group stand in every group's column
    if ("soc_pt" %in% displays) by_term(analysis, group, part, members, events[events$USUBJID %in% analysis$subjects$USUBJID, , drop = FALSE])
    if ("worst_grade" %in% displays) worst_grade(analysis, group, part, members)
    if ("worst_severity" %in% displays) worst_severity(analysis, group, part, members)
    if ("rates" %in% displays) rates(analysis, group, part, members, window_days(study, window))
  }
  compare_displays(analysis, events, LINES[texts(spec$lines)])
}

event_share <- function(analysis, where, part, members) {
  share(analysis, where, length(unique(part$USUBJID)), length(members))
  emit(analysis, where, events = nrow(part))
}

NOT_RELATED <- c("NOT RELATED", "UNRELATED", "UNLIKELY RELATED", "N", "NO")

# any causality that is known and not denied
related <- function(ae) !is.na(ae$AEREL) & !ae$AEREL %in% NOT_RELATED

KINDS_OF_EVENT <- list(
  "Any adverse event" = function(ae) rep(TRUE, nrow(ae)),
  "Serious" = function(ae) ae$AESER %in% "Y",
  "Related" = function(ae) related(ae),
  "Serious and related" = function(ae) ae$AESER %in% "Y" & related(ae),
  "Grade 3 or higher" = function(ae) ae$AETOXGR %in% c("3", "4", "5"),
  "Fatal" = function(ae) ae$AETOXGR %in% "5" | ae$AEOUT %in% "FATAL",
  "Grade missing" = function(ae) is.na(ae$AETOXGR),
  "Severe" = function(ae) ae$AESEV %in% "SEVERE",
  "Severity missing" = function(ae) is.na(ae$AESEV),
  "Causality missing" = function(ae) is.na(ae$AEREL))

LINES <- c(any = "Any adverse event", serious = "Serious", grade_3 = "Grade 3 or higher", severe = "Severe", related = "Related",
           serious_related = "Serious and related", fatal = "Fatal", grade_missing = "Grade missing",
           severity_missing = "Severity missing", causality_missing = "Causality missing")

overview <- function(analysis, group, part, members) {
  for (kind in LINES[texts(analysis$spec$lines)]) {
    event_share(analysis, list(group = group, variable = "overview", category = kind), part[KINDS_OF_EVENT[[kind]](part), , drop = FALSE],
                members)
  }
}

by_term <- function(analysis, group, part, members, every) {
  for (class in unique(every$AEBODSYS)) {
    own <- part[part$AEBODSYS %in% class, , drop = FALSE]
    event_share(analysis, list(group = group, variable = "soc_pt", parameter = class), own, members)
    for (term in unique(every$AEDECOD[every$AEBODSYS %in% class])) {
      event_share(analysis, list(group = group, variable = "soc_pt", parameter = class, category = term),
                  own[own$AEDECOD %in% term, , drop = FALSE], members)
    }
  }
}

# the worst grade of each patient; a patient whose grades are all missing is a level of its own
worst_grade <- function(analysis, group, part, members) {
  grade <- suppressWarnings(as.numeric(part$AETOXGR))
  worst <- vapply(members, function(id) {
    own <- grade[part$USUBJID == id]
    if (!length(own)) -1 else if (all(is.na(own))) 0 else max(own, na.rm = TRUE)
  }, 0)
  where <- function(category) list(group = group, variable = "worst_grade", category = category)
  for (level in 1:5) {
    share(analysis, where(paste("Grade", level)), sum(worst == level), length(members))
    emit(analysis, where(paste("Grade", level)), events = sum(grade %in% level & part$USUBJID %in% members[worst == level]))
  }
  share(analysis, where("Grade missing"), sum(worst == 0), length(members))
  emit(analysis, where("Grade missing"), events = sum(is.na(grade) & part$USUBJID %in% members[worst == 0]))
  share(analysis, where("No adverse event"), sum(worst == -1), length(members))
}

# first events per 100 patient-months with Garwood's limits; time ends at the first event, death, last news or the window
rates <- function(analysis, group, part, members, span) {
  study <- analysis$study
  index <- match(members, study$ids)
  end <- pmin(span$end[index], study$milestones$death$low[index], study$milestones$last_alive$low[index], na.rm = TRUE)
  for (kind in intersect(c("Any adverse event", "Serious", "Related", "Grade 3 or higher"), LINES[texts(analysis$spec$lines)])) {
    own <- part[KINDS_OF_EVENT[[kind]](part), , drop = FALSE]
    time <- vapply(seq_along(members), function(i) {
      mine <- own[own$USUBJID == members[i], , drop = FALSE]
      start <- span$start[index[i]]
      if (!nrow(mine)) return(max(0, end[i] - start))
      max(0, min(mine$onset, end[i]) - start)
    }, 0)
    n <- length(unique(own$USUBJID)); months <- sum(time) / MONTH
    tail <- (1 - analysis$spec$conf_level) / 2
    emit(analysis, list(group = group, variable = "rates", category = kind), n = n, person_time = months,
         rate = if (months > 0) 100 * n / months else NA, lower = if (months > 0) 100 * stats::qchisq(tail, 2 * n) / 2 / months else NA,
         upper = if (months > 0) 100 * stats::qchisq(1 - tail, 2 * n + 2) / 2 / months else NA)
  }
}
