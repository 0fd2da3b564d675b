# Graft-versus-host disease: stages and grades of each assessment, then onset and maximum per patient (gvhd.yaml).
# A stage or grade is a range list(low, high); both ends are equal where it is known.

gvhd_systems <- function(study, dataset) {
  all <- study$reference("gvhd")[["systems"]]
  stats::setNames(all, vapply(all, function(system) system$id, ""))[texts(dataset$systems)]
}

# dated findings of a domain that have a value
gvhd_findings <- function(study, domain) {
  table <- clean(study, domain)
  p <- prefix(domain)
  column <- function(name) if (paste0(p, name) %in% names(table)) table[[paste0(p, name)]] else rep(NA_character_, nrow(table))
  found <- data.frame(USUBJID = table$USUBJID, test = column("TESTCD"), low = days(column("DT_LO")), high = days(column("DT_HI")),
                      AVAL = number(column("STRESN")), AVALC = column("STRESC"),
                      CENS = ifelse(is.na(column("CENS")), "none", column("CENS")), LLOQ = number(column("LLOQ")),
                      ULOQ = number(column("ULOQ")), unit = column("STRESU"))
  value <- !is.na(found$AVAL) | !is.na(found$AVALC) | found$CENS %in% c("left", "right")
  found[value & !is.na(found$low) & !(column("STAT") %in% "NOT DONE"), , drop = FALSE]
}

# the worst of several values of a test: the greatest, the least of those named, Y before N
worst_value <- function(rows, least) {
  if (nrow(rows) < 2) return(rows)
  low <- ifelse(rows$CENS == "left", 0, ifelse(rows$CENS == "right", rows$ULOQ, rows$AVAL))
  high <- ifelse(rows$CENS == "left", rows$LLOQ, ifelse(rows$CENS == "right", Inf, rows$AVAL))
  rank <- if (least) order(low, high) else order(-high, -low, rows$AVALC != "Y")
  rows[rank[1], , drop = FALSE]
}

# function(parameter, at) giving the row of a value at an assessment, or NULL
gvhd_look <- function(dataset, reference, rows, others, subject) {
  cache <- list()
  raw <- function(code) {
    mine <- rows[rows$test %in% code, , drop = FALSE]
    for (unit in names(reference$units)) for (name in names(reference$units[[unit]])) {
      # a test whose limits are published in several units
      if (identical(reference$units[[unit]][[name]], code)) mine <- rows[rows$test %in% unit & rows$unit %in% name, , drop = FALSE]
    }
    if (nrow(mine)) return(worst_value(mine, code %in% texts(reference$least)))
    mine <- others[others$test %in% code, , drop = FALSE]
    if (nrow(mine)) return(worst_value(mine[mine$high == max(mine$high), , drop = FALSE], code %in% texts(reference$least)))
    if (code %in% names(subject) && !is.na(subject[[code]])) return(found_number(subject[[code]]))
    if (!is.null(dataset$assume[[code]])) {
      value <- as.character(dataset$assume[[code]])
      return(data.frame(AVAL = number(value), AVALC = value, CENS = "none", LLOQ = NA, ULOQ = NA))
    }
    for (part in reference$computed) if (part$code == code) return(quotient(look(part$divide), look(part$by)))
    NULL
  }
  look <- function(code, at = NULL) {
    if (is.null(cache[[code]])) cache[[code]] <<- list(raw(code))
    cache[[code]][[1]]
  }
  look
}

found_number <- function(value) {
  data.frame(AVAL = suppressWarnings(as.numeric(value)), AVALC = as.character(value), CENS = "none", LLOQ = NA, ULOQ = NA)
}

quotient <- function(a, b) {
  a <- interval(a); b <- interval(b)
  if (is.null(a) || is.null(b) || b$low <= 0) return(NULL)
  # decimals of the data, without the binary hair of a quotient
  range_row(list(low = signif(a$low / b$high, 12), high = signif(a$high / b$low, 12)))
}

range_row <- function(range) data.frame(LOW = range$low, HIGH = range$high, AVALC = NA_character_, CENS = "none")

# bands from top to bottom: at most the first that may hold, at least the first that holds
banded <- function(bands, look) {
  high <- NULL
  for (band in bands) {
    state <- if (is.null(band$rule)) TRUE else holds(band$rule, look, list())
    if (is.null(high) && !isFALSE(state)) high <- as.numeric(band$points)
    if (isTRUE(state)) return(list(low = as.numeric(band$points), high = high))
  }
  NULL
}

# stage by one source; NULL where the source does not count
source_stage <- function(source, greatest, look) {
  for (code in texts(source$needs)) if (is.null(look(code))) return(NULL)
  if (!is.null(source$when) && !isTRUE(holds(source$when, look, list()))) return(NULL)
  if (is.null(source$value)) return(banded(source$points, look))
  stage <- interval(look(source$value))
  if (is.null(stage) || stage$low != stage$high || !stage$low %in% 0:greatest) return(NULL)
  list(low = stage$low, high = stage$high)
}

# stage of an organ: what is preferred first, the other where this leaves the stage open
organ_stage <- function(organ, prefer, look) {
  greatest <- as.numeric(organ$greatest)
  first <- vapply(organ$sources, function(source) source$by %in% c(prefer, "both"), TRUE)
  open <- NULL
  for (source in c(organ$sources[first], organ$sources[!first])) {
    stage <- source_stage(source, greatest, look)
    if (is.null(stage)) next
    if (stage$low == stage$high) return(stage)
    if (is.null(open)) open <- stage
  }
  open %or% list(low = 0, high = greatest)
}

gvhd_grade <- function(system, stages, look) {
  if (!is.null(system$none_if) && isTRUE(holds(system$none_if, look, list()))) return(list(low = 0, high = 0))
  end <- function(side) {
    at <- function(code, when = NULL) if (is.null(stages[[code]])) NULL else found_number(stages[[code]][[side]])
    banded(system$grades, at)$low
  }
  grade <- list(low = end("low"), high = end("high"))
  some <- !is.null(system$some_if) && isTRUE(holds(system$some_if, look, list()))
  if (!some) return(grade)
  # diagnosed: at least the lowest grade, and of any grade where the organs show none
  if (grade$high == 0) list(low = 1, high = greatest_points(system)) else lapply(grade, max, 1)
}

greatest_points <- function(system) max(vapply(system$grades, function(band) as.numeric(band$points), 0))

grade_label <- function(system, grade) {
  for (band in system$grades) if (as.numeric(band$points) == grade) return(as.character(band$label))
  NA_character_
}

# one row per assessment, system and parameter (organs, grade, events): low and high of the value, day
assessed_gvhd <- function(study, id) {
  key <- paste("gvhd", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id); reference <- study$reference("gvhd")
  domains <- texts(dataset$domains)
  own <- gvhd_findings(study, domains[1])
  others <- do.call(rbind, c(list(own[0, ]), lapply(domains[-1], function(domain) gvhd_findings(study, domain))))
  parts <- list()
  for (system in gvhd_systems(study, dataset)) {
    tests <- texts(reference$tests[[system$family]])
    visits <- unique(own[own$test %in% tests, c("USUBJID", "low", "high")])
    for (i in seq_len(nrow(visits))) {
      visit <- visits[i, ]
      rows <- own[own$USUBJID == visit$USUBJID & own$low == visit$low & own$high == visit$high, , drop = FALSE]
      # both days must be known for an age
      dated <- visit$low == visit$high & others$low == others$high
      recent <- dated & others$low <= visit$low & others$low >= visit$low - dataset$max_age
      near <- others[recent & others$USUBJID == visit$USUBJID, , drop = FALSE]
      subject <- study$adsl[study$ids == visit$USUBJID, , drop = FALSE]
      look <- gvhd_look(dataset, reference, rows, near, subject)
      parts[[length(parts) + 1]] <- cbind(visit, assess(system, dataset$prefer, look), SYSTEM = system$id, row.names = NULL)
    }
  }
  study$cache[[key]] <- do.call(rbind, parts)
  study$cache[[key]]
}

assess <- function(system, prefer, look) {
  stages <- lapply(system$organs, organ_stage, prefer, look)
  names(stages) <- vapply(system$organs, function(organ) organ$code, "")
  grade <- gvhd_grade(system, stages, look)
  at <- function(code, when = NULL) if (code == system$code) range_row(grade) else look(code)
  events <- lapply(system$events, function(event) holds(event$rule, at, list()))
  names(events) <- vapply(system$events, function(event) event$code, "")
  all <- c(stages, stats::setNames(list(grade), system$code))
  table <- data.frame(
    PARAMCD = c(names(all), names(events)), role = rep(c("organ", "grade", "event"), c(length(stages), 1, length(events))),
    from = c(vapply(all, function(x) x$low, 0), vapply(events, function(x) as.numeric(isTRUE(x)), 0)),
    to = c(vapply(all, function(x) x$high, 0), vapply(events, function(x) as.numeric(!isFALSE(x)), 0)))
  table$AVALC <- ifelse(table$role == "grade", grade_label(system, grade$low), as.character(table$from))
  table$AVALC[table$from != table$to] <- NA
  table
}

# rows counted for onset and maximum, from the start on and up to the first of the ends, that day included
counted_gvhd <- function(study, dataset) {
  table <- assessed_gvhd(study, dataset$id)
  index <- match(table$USUBJID, study$ids)
  start <- if (is.null(dataset$start)) rep(-Inf, length(study$ids)) else study$milestones[[dataset$start]]$low
  end <- rep(Inf, length(study$ids))
  for (id in texts(dataset$ends)) end <- pmin(end, study$milestones[[id]]$high, na.rm = TRUE)
  # a partial day counts where it is possible, and then not before the start
  inside <- !is.na(start[index]) & table$high >= start[index] & table$low <= end[index]
  table$low <- pmax(table$low, start[index])
  table[inside, , drop = FALSE]
}

# per patient: greatest grade and onset of the events
gvhd_course <- function(study, id) {
  key <- paste("gvhd course", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  table <- counted_gvhd(study, dataset)
  parts <- list()
  for (system in gvhd_systems(study, dataset)) {
    mine <- table[table$SYSTEM == system$id, , drop = FALSE]
    parts[[length(parts) + 1]] <- greatest_grade(study, dataset, system, mine)
    for (event in system$events) parts[[length(parts) + 1]] <- gvhd_onset(study, dataset, system, event, mine)
  }
  study$cache[[key]] <- do.call(rbind, parts)
  study$cache[[key]]
}

# `end` (from, to) of the assessments of each patient; without any there was none where the form is filled only where
# there is GVHD, else anything up to the greatest
worst_of <- function(study, dataset, mine, end, greatest) {
  none <- if (isTRUE(dataset$recorded_if_present) || end == "from") 0 else greatest
  vapply(study$ids, function(id) {
    values <- mine[[end]][mine$USUBJID == id]
    if (length(values)) max(values) else none
  }, 0, USE.NAMES = FALSE)
}

course_rows <- function(study, code, system, low, high) {
  data.frame(USUBJID = study$ids, PARAMCD = code, SYSTEM = system$id, from = low, to = high, low = NA_real_, high = NA_real_)
}

greatest_grade <- function(study, dataset, system, mine) {
  grades <- mine[mine$role == "grade", , drop = FALSE]
  greatest <- greatest_points(system)
  ends <- lapply(c("from", "to"), function(end) worst_of(study, dataset, grades, end, greatest))
  rows <- course_rows(study, system$maximum$code, system, ends[[1]], ends[[2]])
  known <- rows$from == rows$to
  rows$AVALC <- NA_character_
  rows$AVALC[known] <- vapply(rows$from[known], function(grade) grade_label(system, grade), "")
  # the day on which the greatest grade was first seen
  for (i in which(known)) {
    seen <- grades[grades$USUBJID == rows$USUBJID[i] & grades$from == rows$from[i], , drop = FALSE]
    seen <- seen[order(seen$low, seen$high), , drop = FALSE]
    if (nrow(seen)) rows[i, c("low", "high")] <- seen[1, c("low", "high")]
  }
  rows
}

gvhd_onset <- function(study, dataset, system, event, mine) {
  mine <- mine[mine$PARAMCD == event$code, , drop = FALSE]
  ends <- lapply(c("from", "to"), function(end) worst_of(study, dataset, mine, end, 1))
  rows <- course_rows(study, event$code, system, ends[[1]], ends[[2]])
  rows$AVALC <- ifelse(rows$from == 1, "Y", ifelse(rows$to == 0, "N", NA))
  first <- mine[mine$from == 1, , drop = FALSE]
  first <- first[order(first$low, first$high), , drop = FALSE]
  at <- match(rows$USUBJID, first$USUBJID)
  rows$low <- first$low[at]; rows$high <- first$high[at]
  rows
}

# rows for tables of the whole course
VALUES$gvhd <- function(study, id) {
  course <- gvhd_course(study, id)
  keep_gvhd(study, id, course)
  data.frame(USUBJID = course$USUBJID, PARAMCD = course$PARAMCD, AVAL = ifelse(course$from == course$to, course$from, NA),
             AVALC = course$AVALC, CENS = "none", LLOQ = NA, ULOQ = NA, text = TRUE, AVISIT = "Whole course")
}

# onset of a parameter as an event: bounds per patient
EVENTS$gvhd <- function(study, id, parameter) {
  course <- gvhd_course(study, id)
  keep_gvhd(study, id, course)
  mine <- course[course$PARAMCD == parameter, , drop = FALSE]
  mine <- mine[match(study$ids, mine$USUBJID), , drop = FALSE]
  list(low = mine$low, high = mine$high, time = rep(NA_real_, length(study$ids)), happened = mine$from %in% 1)
}

# patient-level rows for the comparison: each assessment, then the whole course
keep_gvhd <- function(study, id, course) {
  if (!is.null(study$derived[[id]])) return(invisible())
  visits <- assessed_gvhd(study, id)
  visits <- visits[visits$role != "event", , drop = FALSE]
  visits$AVISIT <- rep(NA_character_, nrow(visits)); course$AVISIT <- "Whole course"
  names <- c("USUBJID", "PARAMCD", "SYSTEM", "AVISIT", "from", "to", "AVALC", "low", "high")
  table <- rbind(visits[names], course[names])
  keep_derived(study, id, data.frame(
    USUBJID = table$USUBJID, PARAMCD = table$PARAMCD, AVISIT = table$AVISIT, SYSTEM = table$SYSTEM,
    AVAL = ifelse(table$from == table$to, table$from, NA), AVALC = table$AVALC, AVALLO = table$from, AVALHI = table$to,
    ADT = day_text(ifelse(table$low == table$high, table$low, NA)), ADTLO = day_text(table$low), ADTHI = day_text(table$high)))
}
