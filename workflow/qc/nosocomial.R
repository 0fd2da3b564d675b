# Infections acquired in hospital (ruling 20): onset more than 48 hours after admission and after inclusion, until a day of the
# trial, first episode by type; death and discharge compete. Patients, episodes, first infections per 1000 patient-days.

# a moment as minutes since 1970: first and last that is possible
moment_bounds <- function(low, high, clock) {
  exact <- !is.na(low) & !is.na(high) & low == high & !is.na(clock)
  list(low = ifelse(exact, low * 1440 + clock, low * 1440), high = ifelse(exact, low * 1440 + clock, high * 1440 + 1439))
}

milestone_bounds <- function(study, id, index) {
  if (is.null(id)) return(list(low = rep(NA_real_, length(index)), high = rep(NA_real_, length(index))))
  dates <- study$milestones[[id]]
  moment_bounds(dates$low[index], dates$high[index], dates$time[index])
}

# TRUE, FALSE or NA: whether a moment is more than so many minutes after another
is_after <- function(onset, since, wait) {
  ifelse(onset$low > since$high + wait, TRUE, ifelse(onset$high <= since$low + wait, FALSE, NA))
}

# data.frame per record: USUBJID, row_id, origin, day, TYPES, NOSOFL, ICUFL; what cannot be decided counts
infection_episodes <- function(study, dataset) {
  table <- matching(clean(study, dataset$domain), dataset$where)
  index <- match(table$USUBJID, study$ids)
  names <- companions(dataset$date)
  low <- days(table[[names$low]]); high <- days(table[[names$high]])
  onset <- moment_bounds(low, high, minutes(table[[names$time]]))
  of_type <- vapply(dataset$types, function(type) table$row_id %in% matching(table, type$where)$row_id, rep(NA, nrow(table)))
  of_type <- matrix(of_type, nrow(table))
  codes <- vapply(dataset$types, function(type) type$code, "")
  types <- apply(of_type, 1, function(row) paste(codes[row], collapse = " "))
  hours <- 60 * dataset$hours
  span <- time_at_risk(study, dataset)
  origin <- span$origin[index]
  admission <- milestone_bounds(study, dataset$admission, index)
  late <- is_after(onset, admission, hours) & is_after(onset, milestone_bounds(study, dataset$origin, index), 0)
  # the first possible day on which the infection can count
  possible <- pmax(origin, floor((admission$low + hours + 1) / 1440), na.rm = TRUE)
  day <- ifelse(low == high, low, pmin(high, pmax(low, possible, na.rm = TRUE)))
  noso <- !is.na(high) & !is.na(origin) & !(late %in% FALSE) & pmin(day, high) <= span$latest[index] & day <= span$latest[index]
  # on the day of a competing event the clock times tell, where both are known
  for (id in texts(dataset$competing)) {
    dates <- study$milestones[[id]]
    stamp <- ifelse(dates$low == dates$high & dates$high >= span$origin, dates$low * 1440 + dates$time, NA)[index]
    noso <- noso & !(onset$low == onset$high & onset$low > stamp) %in% TRUE
  }
  icu <- is_after(onset, milestone_bounds(study, dataset$icu_admission, index), hours)
  there <- place_in_icu(study, dataset, table, onset, index)
  in_unit <- !is.null(dataset$icu_admission) & !(icu %in% FALSE) & !(there %in% FALSE)
  noso <- noso %in% TRUE
  data.frame(USUBJID = table$USUBJID, row_id = table$row_id, origin = origin, day = ifelse(is.na(high), NA, day), TYPES = types,
             NOSOFL = ifelse(noso, "Y", "N"), ICUFL = ifelse(noso & in_unit, "Y", "N"))
}

# whether an infection began in intensive care: the recorded place, else the dates
place_in_icu <- function(study, dataset, table, onset, index) {
  leave <- milestone_bounds(study, dataset$icu_discharge, index)
  left <- if (is.null(dataset$icu_discharge)) rep(FALSE, nrow(table)) else study$milestones[[dataset$icu_discharge]]$happened[index]
  gone <- ifelse(left, is_after(onset, leave, 60 * dataset$icu_after), FALSE)
  place <- if (is.null(dataset$place)) rep(NA_character_, nrow(table)) else table[[dataset$place]]
  soon <- ifelse(left & dataset$icu_after > 0, !gone & is_after(onset, leave, 0), FALSE)
  # without an admission there only the place tells
  entered <- if (is.null(dataset$icu_admission)) rep(FALSE, nrow(table)) else study$milestones[[dataset$icu_admission]]$happened[index]
  ifelse(place %in% dataset$icu_place, TRUE, entered & ifelse(is.na(place), !gone, soon))
}

# per patient: origin, last day of the window and of the time at risk, and what ended it (a competing milestone or NA)
time_at_risk <- function(study, dataset) {
  start <- study$milestones[[dataset$origin]]
  origin <- ifelse(start$low == start$high, start$low, NA)
  from <- study$milestones[[dataset$until_from %or% dataset$origin]]$high
  limit <- pmax(ifelse(is.na(from), origin, from) + dataset$until, origin)
  first <- rep(Inf, length(origin)); until <- first; latest <- limit; event <- rep(NA_character_, length(origin))
  for (id in texts(dataset$competing)) {
    dates <- study$milestones[[id]]
    # an end before the origin is an error of the data; a partial one is on its first possible day, and an infection that
    # may be before it is
    valid <- dates$happened & (dates$high >= origin) %in% TRUE
    day <- ifelse(valid, pmax(dates$low, origin, na.rm = TRUE), Inf); high <- ifelse(valid, dates$high, Inf)
    latest <- ifelse(valid, pmin(latest, dates$high), latest)
    # the one declared first where partial dates leave the order open, but a partial death is after an exact discharge in its
    # time; a discharge on the day of death is a death
    sooner <- valid & (high < first | (day == high & event %in% "death" & first < until & day <= until) |
                         (day == high & first == until & day == first & id == "death")) & day <= limit
    first[sooner] <- day[sooner]; until[sooner] <- high[sooner]; event[sooner] <- id
  }
  seen <- pmax(study$milestones$last_alive$low, origin)
  ended <- first <= limit
  list(origin = origin, latest = latest, end = ifelse(ended, first, pmin(limit, seen)), event = ifelse(ended, event, NA))
}

# data.frame per patient and type: PARAMCD, USUBJID, STARTDT, ADT, AVAL, CNSR, EVENT, NEPI; and the episodes
nosocomial_table <- function(study, id) {
  key <- paste("nosocomial", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  if (!is.null(dataset$icu_readmission)) not_covered("infections of a second stay in intensive care")
  episodes <- infection_episodes(study, dataset)
  span <- time_at_risk(study, dataset)
  apart <- vapply(Filter(function(type) isTRUE(type$apart), dataset$types), function(type) type$code, "")
  types <- strsplit(episodes$TYPES, " ", fixed = TRUE)
  # an infection whose type is not known is an infection all the same
  ordinary <- vapply(types, function(own) !length(own) || any(!own %in% apart), NA)
  chosen <- lapply(dataset$types, function(type) vapply(types, function(own) type$code %in% own, NA))
  names(chosen) <- vapply(dataset$types, function(type) type$code, "")
  chosen$ANYNOSO <- ordinary
  if (!is.null(dataset$icu_admission)) chosen$ANYICU <- ordinary & episodes$ICUFL == "Y"
  parts <- lapply(names(chosen), function(code) {
    own <- episodes[chosen[[code]] & episodes$NOSOFL == "Y", , drop = FALSE]
    first <- as.numeric(tapply(own$day, factor(own$USUBJID, study$ids), min))
    infected <- !is.na(first)
    day <- ifelse(infected, first, span$end)
    competing <- match(span$event, texts(dataset$competing))
    data.frame(PARAMCD = code, USUBJID = study$ids, STARTDT = day_text(span$origin), ADT = day_text(day), AVAL = day - span$origin,
               CNSR = ifelse(infected, 0, ifelse(is.na(competing), 1, competing + 1)),
               EVENT = ifelse(infected, "infection", span$event),
               NEPI = as.numeric(table(factor(own$USUBJID, study$ids))))
  })
  study$cache[[key]] <- do.call(rbind, parts)
  keep_derived(study, id, nosocomial_records(study$cache[[key]], episodes, id))
  study$cache[[key]]
}

# first infections and episodes as one table, named as records of the derived dataset
nosocomial_records <- function(table, episodes, id) {
  table$row_id <- paste0(id, ":", table$USUBJID, "/", table$PARAMCD)
  table$TYPES <- NA; table$NOSOFL <- NA; table$ICUFL <- NA
  if (!nrow(episodes)) return(table)
  own <- data.frame(PARAMCD = "EPISODE", USUBJID = episodes$USUBJID, STARTDT = day_text(episodes$origin), ADT = day_text(episodes$day),
                    AVAL = episodes$day - episodes$origin, CNSR = NA, EVENT = NA, NEPI = NA, row_id = sub("^[^:]*:([^/]*/[^/]*)/", paste0(id, ":\\1/EPISODE/"), episodes$row_id),
                    TYPES = ifelse(nzchar(episodes$TYPES), episodes$TYPES, NA), NOSOFL = episodes$NOSOFL, ICUFL = episodes$ICUFL)
  rbind(table, own)
}

TIMES$nosocomial <- function(analysis) {
  table <- nosocomial_table(analysis$study, analysis$dataset)
  table[table$PARAMCD %in% texts(analysis$spec$where$PARAMCD), , drop = FALSE]
}

CAUSES$nosocomial <- function(analysis) {
  dataset <- find_dataset(analysis$study, analysis$dataset)
  list(event = "infection", competing = texts(dataset$competing))
}

KINDS$nosocomial <- function(analysis) {
  table <- nosocomial_table(analysis$study, analysis$dataset)
  for (group in names(groups(analysis))) for (code in unique(table$PARAMCD)) {
    members <- groups(analysis)[[group]]
    part <- table[table$PARAMCD == code & table$USUBJID %in% members, , drop = FALSE]
    where <- function(variable, category = NULL) c(list(group = group, parameter = code, variable = variable), category = category)
    share(analysis, where("patients", "Patients"), sum(part$CNSR %in% 0), length(members))
    limits <- clopper(sum(part$CNSR %in% 0), length(members), analysis$spec$conf_level)
    emit(analysis, where("patients", "Patients"), lower = 100 * limits$lower, upper = 100 * limits$upper)
    emit(analysis, where("patients", "Episodes"), events = sum(part$NEPI))
    n <- sum(part$CNSR %in% 0); time <- sum(part$AVAL, na.rm = TRUE)
    tail <- (1 - analysis$spec$conf_level) / 2
    emit(analysis, where("rate"), n = n, person_days = time, rate_days = if (time > 0) 1000 * n / time else NA,
         lower = if (time > 0) 1000 * stats::qchisq(tail, 2 * n) / 2 / time else NA,
         upper = if (time > 0) 1000 * stats::qchisq(1 - tail, 2 * n + 2) / 2 / time else NA)
  }
}
