# Intercurrent events (ICH E9(R1)): who had each while at risk of an outcome, beside the declared strategy.
# An event is there if it may have happened between the first and the last day at risk, both included.

# bounds of an event per patient: list(low, high, happened)
intercurrent_dates <- function(study, event) {
  bounds <- function(id) {
    found <- study$milestones[[id]]
    if (is.null(found)) found <- derived_event(study, id)
    if (is.null(found$happened)) found$happened <- !is.na(found$high)
    found[c("low", "high", "happened")]
  }
  dates <- bounds(event$milestone %or% event$at)
  if (!is.null(event$absent)) dates$happened <- dates$happened & !study$milestones[[event$absent]]$happened
  if (!is.null(event$population)) dates$happened <- dates$happened & in_population(study, event$population)
  if (!is.null(event$stop)) {
    first <- bounds(event$stop$start)
    treated <- dates$high - ifelse(is.na(first$low), first$high, first$low) + 1
    explained <- rep(FALSE, length(study$ids))
    for (id in texts(event$stop$unless)) {
      other <- if (id == "last_alive") list(low = study$milestones$last_alive$low, happened = !is.na(study$milestones$last_alive$low)) else bounds(id)
      explained <- explained | (other$happened & (is.na(other$low) | other$low <= dates$high + event$stop$grace))
    }
    dates$happened <- dates$happened & first$happened & !(treated >= event$stop$planned) & !explained
  }
  dates
}

# an event that is more than its milestone is a date of the patient under its own name
event_name <- function(event) {
  plain <- is.null(event$stop) && is.null(event$population) && !is.null(event$milestone)
  if (plain) event$milestone else event$id
}

derive_intercurrent <- function(study) {
  for (event in study$protocol$intercurrent_events) if (event_name(event) == event$id && is.null(study$milestones[[event$id]])) {
    if (!is.null(event$milestone) && is.null(study$milestones[[event$milestone]])) next
    dates <- intercurrent_dates(study, event)
    at <- function(day) ifelse(dates$happened, day, NA)
    study$milestones[[event$id]] <- list(low = at(dates$low), high = at(dates$high), time = rep(NA_real_, length(study$ids)), happened = dates$happened)
  }
}

# milestones that an endpoint is itself made of
own_milestones <- function(study, outcome) {
  endpoint <- outcome$endpoint
  dataset <- if (is.null(endpoint$dataset)) NULL else find_dataset(study, endpoint$dataset)
  switch(endpoint$kind,
         state_at_horizon = c(endpoint$death, endpoint$terminal), time_to_event = c(texts(endpoint$event), texts(endpoint$competing)),
         sofa_response = endpoint$death, stay = c(dataset$discharge, dataset$death),
         response_time = , reactivation = , infections = , nosocomial = c(texts(dataset$competing), texts(dataset$ends)),
         character(0))
}

# analysis as another function of this folder takes it
analysis_of <- function(study, outcome, spec) {
  list(study = study, outcome = outcome, scenario = "primary", spec = spec, name = spec$kind, population = outcome$estimand$population,
       subjects = study$adsl, dataset = spec$dataset %or% outcome$endpoint$dataset)
}

# first and last day at risk of an outcome per patient: list(start, end), NA for who is not
at_risk <- function(study, outcome) {
  endpoint <- outcome$endpoint
  none <- rep(NA_real_, length(study$ids))
  # as if every event were ignored
  outcome$estimand$intercurrent <- list()
  if (endpoint$kind == "time_to_event") {
    table <- time_to_event(study, outcome)
    return(list(start = table$STARTDT, end = ifelse(is.na(table$AVAL), NA, table$ADT)))
  }
  if (endpoint$kind == "state_at_horizon") {
    origin <- study$milestones[[endpoint$origin]]
    exact <- !is.na(origin$low) & origin$low == origin$high
    table <- state_at_horizon(study, outcome)
    # a patient without news since the origin is seen on its day
    end <- ifelse(table$AVALC %in% "lost", pmax(table$ADT, origin$low), table$ADT)
    return(list(start = ifelse(exact, origin$low, NA), end = end))
  }
  if (endpoint$kind == "sofa_response") return(risk_until_visit(study, endpoint))
  if (endpoint$kind == "response_time") return(risk_until_response(study, outcome))
  if (endpoint$kind %in% c("reactivation", "infections", "stay", "nosocomial")) return(risk_of_times(study, outcome))
  span <- if (endpoint$kind == "adverse_events") risk_in_windows(study, outcome) else risk_at_visits(study, outcome)
  # nobody is at risk after death or, without it, after the last news
  death <- study$milestones$death
  last <- if (is.null(death)) study$milestones$last_alive$low else ifelse(death$happened, death$high, study$milestones$last_alive$low)
  list(start = span$start, end = pmin(span$end, last, na.rm = TRUE) + ifelse(is.na(span$end), NA, 0))
}

risk_until_visit <- function(study, endpoint) {
  score <- find_dataset(study, find_dataset(study, endpoint$dataset)$source)
  visit <- Filter(function(entry) entry$label == endpoint$visit, find_visits(study, score$visits)$visits)[[1]]
  day <- trial_origin(study) + visit$day - study$protocol$time$first_day
  start <- study$milestones[[endpoint$origin]]$low
  death <- study$milestones[[endpoint$death]]$low
  list(start = start, end = ifelse(!is.na(death) & death <= day, pmax(death, start), ifelse(day > days(study$protocol$data_cutoff), NA, day)))
}

risk_until_response <- function(study, outcome) {
  longest <- rep(NA_real_, length(study$ids))
  for (spec in outcome$analyses) if (!is.null(spec$level)) {
    table <- response_times(study, spec$dataset %or% outcome$endpoint$dataset, spec$rule_set, spec$level)
    longest <- pmax(longest, table$TIME[match(study$ids, table$USUBJID)], na.rm = TRUE)
  }
  list(start = trial_origin(study), end = trial_origin(study) + longest)
}

# first origin and last end of a patient's times, whatever they are times to
risk_of_times <- function(study, outcome) {
  id <- outcome$endpoint$dataset
  table <- switch(outcome$endpoint$kind, stay = stay_table(study, id), infections = infection_table(study, id),
                  nosocomial = nosocomial_table(study, id), reactivation = reactivations(study, id))
  table <- table[!is.na(table$AVAL), , drop = FALSE]
  as_day <- function(x) if (is.numeric(x)) x else days(x)
  by_patient <- function(x, f) as.numeric(tapply(x, factor(table$USUBJID, study$ids), f))
  list(start = by_patient(as_day(table$STARTDT), min), end = by_patient(as_day(table$ADT), max))
}

risk_in_windows <- function(study, outcome) {
  start <- rep(NA_real_, length(study$ids)); end <- start
  for (spec in outcome$analyses) for (window in find_dataset(study, spec$dataset %or% outcome$endpoint$dataset)$windows) {
    if (!identical(window$id, spec$window)) next
    opens <- study$milestones[[window$start]]
    from <- ifelse(is.na(opens$low), opens$high, opens$low)
    to <- rep(Inf, length(study$ids))
    for (id in texts(window$ends)) to <- pmin(to, study$milestones[[id]]$high, na.rm = TRUE)
    for (id in texts(window$before)) to <- pmin(to, study$milestones[[id]]$high - 1, na.rm = TRUE)
    if (!is.null(window$until)) to <- pmin(to, from + window$until, na.rm = TRUE)
    to <- to + (window$extend %or% 0)
    start <- pmin(start, from, na.rm = TRUE); end <- pmax(end, ifelse(is.na(from), NA, to), na.rm = TRUE)
  }
  list(start = start, end = ifelse(is.infinite(end), study$milestones$last_alive$low, end))
}

# from the trial's origin to the end of the last window of the visits that the analyses name
risk_at_visits <- function(study, outcome) {
  start <- trial_origin(study)
  end <- start
  named <- FALSE; known <- TRUE
  for (spec in outcome$analyses) {
    dataset <- find_dataset(study, spec$dataset %or% outcome$endpoint$dataset)
    visits <- if (is.null(dataset$visits)) list() else find_visits(study, dataset$visits)$visits
    for (label in c(texts(spec$visits), texts(spec$visit), texts(spec$base_visit))) {
      own <- Filter(function(entry) entry$label == label, visits)
      if (!length(own)) { known <- FALSE; next }
      named <- TRUE
      frame <- visit_frame(study, own[[1]])
      end <- pmax(end, frame$origin + frame$to, na.rm = TRUE)
    }
  }
  list(start = start, end = if (named && known) ifelse(is.na(start), NA, end) else study$milestones$last_alive$low)
}

one_arm <- function(study, id) {
  for (population in study$protocol$populations) if (population$id == id) {
    arms <- population$where$ARMCD %or% population$where$ARM
    return(length(arms) == 1 || (!is.null(population$parent) && one_arm(study, population$parent)))
  }
  FALSE
}

KINDS$intercurrent_events <- function(analysis) {
  study <- analysis$study; outcome <- analysis$outcome
  span <- at_risk(study, outcome)
  known <- !is.na(span$start) & !is.na(span$end) & span$end >= span$start
  for (event in study$protocol$intercurrent_events) {
    plain <- identical(event_name(event), event$milestone)
    strategy <- outcome$estimand$intercurrent[[event$id]]
    if (is.null(strategy) && plain && event$milestone %in% own_milestones(study, outcome)) strategy <- "part_of_endpoint"
    if (is.null(strategy)) next
    dates <- intercurrent_dates(study, event)
    hit <- known & dates$happened & dates$high >= span$start & (is.na(dates$low) | dates$low <= span$end)
    hit[is.na(hit)] <- FALSE
    day <- ifelse(hit, pmin(dates$high, pmax(dates$low, span$start, na.rm = TRUE)), NA)
    keep_derived(study, analysis$dataset, data.frame(
      USUBJID = study$ids, OUTCOME = outcome$id, ICE = event$id, STRATEGY = strategy, STARTDT = day_text(ifelse(known, span$start, NA)),
      ENDDT = day_text(ifelse(known, span$end, NA)), OCCURFL = ifelse(known, ifelse(hit, "Y", "N"), NA), ADT = day_text(day),
      AVAL = day - span$start))
    for (group in names(groups(analysis))) {
      members <- groups(analysis)[[group]]
      share(analysis, list(group = group, category = event$id, term = strategy), sum(study$ids[hit] %in% members), length(members))
    }
  }
}

# every registered outcome has this count, by arm unless its population is of one arm
intercurrent_results <- function(study) {
  id <- Filter(function(dataset) dataset$kind == "intercurrent", study$protocol$datasets)
  for (entry in study$outcomes) {
    wanted <- study$keys$outcome == entry$outcome$id & study$keys$analysis == "intercurrent_events"
    asked <- any(vapply(entry$outcome$analyses, function(spec) spec$kind == "intercurrent_events", NA))
    if (entry$scenario != "primary" || !any(wanted) || asked || !length(id)) next
    spec <- list(kind = "intercurrent_events", dataset = id[[1]]$id)
    if (length(study$protocol$arms) > 1 && !one_arm(study, entry$outcome$estimand$population)) spec$by <- "ARM"
    analysis <- analysis_of(study, entry$outcome, spec)
    analysis$subjects <- study$adsl[in_population(study, analysis$population), , drop = FALSE]
    tryCatch(KINDS$intercurrent_events(analysis), not_covered = function(condition) message(entry$outcome$id, " intercurrent events: ", conditionMessage(condition)))
  }
}
