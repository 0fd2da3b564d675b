# Organ failure score (SOFA): observations of resources/reference/sofa.yaml, the points of each, the worst of each day.
# A stamp is minutes since 1970, NA where only the day is known; a day runs from the trial's day_start on.

sofa_definition <- function(study, dataset) find_by(study$reference("sofa")$definitions, "id", dataset$definition)

day_begins <- function(study, dataset) minutes(dataset$day_start %or% study$protocol$time$day_start %or% "00:00")

row_of <- function(...) structure(list(...), class = "data.frame", row.names = 1L)

# records of a measure or rate on an exact date, with what every observation needs
dated_records <- function(study, dataset, spec, start) {
  table <- matching(clean(study, spec$domain), spec$where)
  names <- companions(start)
  low <- days(table[[names$low]])
  keep <- !is.na(low) & low == days(table[[names$high]])
  status <- paste0(prefix(spec$domain), "STAT")
  if (status %in% names(table)) keep <- keep & !(table[[status]] %in% "NOT DONE")
  table <- table[keep, , drop = FALSE]
  clock <- minutes(table[[names$time]])
  table$.stamp <- low[keep] * 1440 + clock
  table$.day <- icu_day(low[keep], clock, day_begins(study, dataset))
  table
}

icu_day <- function(day, clock, begins) ifelse(is.na(clock), day, floor((day * 1440 + clock - begins) / 1440))

# records of a measure under the parameter that its unit decides; a value is taken as received where conversion would
# take it to other bands (mg/dL), so that limits are compared as printed
measure_records <- function(study, dataset, spec, measure) {
  table <- dated_records(study, dataset, spec, paste0(prefix(spec$domain), "DTC"))
  p <- prefix(spec$domain)
  column <- function(name) if (paste0(p, name) %in% names(table)) table[[paste0(p, name)]] else rep(NA_character_, nrow(table))
  frame <- data.frame(USUBJID = table$USUBJID, code = rep(spec$code, nrow(table)), day = table$.day, stamp = table$.stamp,
                      group = column("GRPID"), AVALC = column("STRESC"), AVAL = rep(NA_real_, nrow(table)),
                      CENS = column("CENS"), LLOQ = rep(NA_real_, nrow(table)), ULOQ = rep(NA_real_, nrow(table)),
                      parameter = rep(NA_character_, nrow(table)), end = table$.stamp, timed = !is.na(table$.stamp))
  if (!is.null(measure$texts)) {
    frame$parameter <- measure$texts; frame$CENS <- "none"
    return(frame[!is.na(frame$AVALC), , drop = FALSE])
  }
  standard <- number(column("STRESN"))
  received <- number(gsub(",", ".", sub("[^0-9.,]*$", "", column("ORRES")), fixed = TRUE))
  unit_of <- function(name) measure$units[[if (is.na(name)) "none" else name]]
  for (i in seq_len(nrow(frame))) {
    own <- unit_of(column("ORRESU")[i]); converted <- unit_of(column("STRESU")[i])
    as_received <- !is.null(own) && (is.null(converted) || own$parameter != converted$parameter) &&
      !frame$CENS[i] %in% c("left", "right")
    chosen <- if (as_received) own else converted
    if (is.null(chosen)) next
    factor <- as.numeric(chosen$factor %or% 1)
    frame$parameter[i] <- chosen$parameter
    # limits of quantification stand in the standard unit
    frame$LLOQ[i] <- number(column("LLOQ")[i]) * factor; frame$ULOQ[i] <- number(column("ULOQ")[i]) * factor
    # a figure that cleaning set aside has no standard value
    if (is.na(standard[i])) next
    if (as_received && is.na(received[i]) && !is.null(converted)) {
      # the text cannot be read again: the value as converted
      as_received <- FALSE; factor <- as.numeric(converted$factor %or% 1); frame$parameter[i] <- converted$parameter
    }
    frame$AVAL[i] <- signif((if (as_received) received[i] else standard[i]) * factor, 12)
  }
  frame$CENS[is.na(frame$CENS)] <- "none"
  frame[!is.na(frame$parameter) & (!is.na(frame$AVAL) | (frame$CENS == "left" & !is.na(frame$LLOQ)) |
                                     (frame$CENS == "right" & !is.na(frame$ULOQ))), , drop = FALSE]
}

same_moment <- function(table, record) {
  table$USUBJID == record$USUBJID & table$day == record$day & (table$stamp == record$stamp | (is.na(table$stamp) & is.na(record$stamp))) %in% TRUE
}

# Y, N or NA: the flag of the record's own time, else that of the whole day
flag_at <- function(flags, record) {
  own <- flags$AVALC[same_moment(flags, record)]
  if (!length(own)) own <- flags$AVALC[flags$USUBJID == record$USUBJID & flags$day == record$day & is.na(flags$stamp)]
  # of several kinds of support at one time, any is support
  if ("Y" %in% own) "Y" else if (length(own)) own[1] else NA_character_
}

# numerator and denominator of one time, with the flag of that time
ratio_records <- function(records, definition) {
  ratio <- definition$ratio
  above <- records[records$parameter == ratio$numerator & records$CENS == "none", , drop = FALSE]
  below <- records[records$parameter == ratio$denominator & records$CENS == "none", , drop = FALSE]
  parts <- lapply(seq_len(nrow(above)), function(i) {
    top <- above[i, ]
    pair <- same_moment(below, top) & (is.na(below$group) | is.na(top$group) | below$group == top$group)
    if (!any(pair)) return(NULL)
    found <- top[rep(1, sum(pair)), , drop = FALSE]
    found$AVAL <- signif(top$AVAL / below$AVAL[pair], 12)
    found$parameter <- ratio$parameter
    found
  })
  found <- rbind(do.call(rbind, parts), records[records$parameter == ratio$parameter, , drop = FALSE])
  flags <- records[records$parameter == ratio$with, , drop = FALSE]
  if (is.null(found) || !nrow(found)) return(NULL)
  found$flag <- vapply(seq_len(nrow(found)), function(i) flag_at(flags, found[i, ]), "")
  found
}

# measures set aside under a flag (Glasgow score under sedation), the measure used instead, and days that have neither
set_aside <- function(records, definition) {
  rule <- definition$unless
  flags <- records[records$parameter == rule$flag, , drop = FALSE]
  affected <- records$code %in% texts(rule$measures); instead <- records$code == rule$instead
  flagged <- rep(FALSE, nrow(records))
  for (i in which(affected)) flagged[i] <- flag_at(flags, records[i, ]) %in% rule$value
  under <- unique(flags[flags$AVALC %in% rule$value, c("USUBJID", "day", "stamp")])
  # in place of nothing where the measure itself stands, on a day without the flag
  day <- paste(records$USUBJID, records$day)
  idle <- instead & day %in% day[affected & !flagged] & !day %in% paste(under$USUBJID, under$day)
  kept <- records[!(affected & flagged) & !idle, , drop = FALSE]
  list(records = kept, under = under)
}

# rates of vasopressors in the definition's unit; one that cannot be converted is some rate above 0
rate_records <- function(study, dataset, definition, weights) {
  rates <- definition$rates
  parts <- lapply(dataset$rates, function(spec) {
    if (!spec$code %in% texts(rates$codes)) return(NULL)
    table <- dated_records(study, dataset, spec, spec$start)
    if (!nrow(table)) return(NULL)
    dose <- number(table[[spec$dose]]); unit <- table[[spec$unit]]
    received <- paste0(prefix(spec$domain), "ORRES")
    figure <- ifelse(is.na(dose) & received %in% names(table), number(gsub(",", ".", table[[received]] %or% NA, fixed = TRUE)), dose)
    salt <- if (is.null(spec$salt)) rep(NA_character_, nrow(table)) else table[[spec$salt]]
    salt[is.na(salt)] <- spec$salt_default %or% "BASE"
    share <- if (spec$code %in% texts(rates$salted)) vapply(salt, function(name) as.numeric(rates$salts[[name]] %or% NA), 0) else 1
    weight <- vapply(seq_len(nrow(table)), function(i) weight_on(weights, table$USUBJID[i], table$.day[i], table$.stamp[i]), 0)
    factor <- vapply(unit, function(name) as.numeric(rates$units[[name %or% NA]] %or% NA), 0)
    by_weight <- vapply(unit, function(name) as.numeric(rates$per_weight[[name %or% NA]] %or% NA), 0)
    value <- signif(dose * share * ifelse(is.na(factor), by_weight / weight, factor), 12)
    # without a figure there is no rate; one that was set aside or cannot be converted is some rate
    zero <- figure %in% 0
    frame <- data.frame(USUBJID = table$USUBJID, code = spec$code, day = table$.day, stamp = table$.stamp, group = NA, AVALC = NA,
                        AVAL = ifelse(zero, 0, value), CENS = ifelse(!zero & is.na(value), "right", "none"), LLOQ = NA,
                        ULOQ = ifelse(!zero & is.na(value), 0, NA), parameter = spec$code, end = table$.stamp,
                        timed = !is.na(table$.stamp))
    given <- !is.na(figure) & figure >= 0
    frame <- frame[given, , drop = FALSE]
    if (is.null(spec$end)) frame else running(study, dataset, spec, table[given, , drop = FALSE], frame, as.numeric(rates$min_minutes))
  })
  do.call(rbind, parts)
}

# a rate from start to end counts on every day of it, the minute of the end left out, unless it is known to have run for
# less than an hour; without an exact end it is a rate at one time
running <- function(study, dataset, spec, table, frame, least) {
  begins <- day_begins(study, dataset)
  names <- companions(spec$end)
  low <- days(table[[names$low]]); low[low != days(table[[names$high]])] <- NA
  clock <- minutes(table[[names$time]])
  end <- low * 1440 + clock
  short <- !is.na(end) & !is.na(frame$stamp) & end - frame$stamp < least
  # without a time the whole day; an end before the start is an error, and the rate is that of its start
  stop <- pmax(ifelse(is.na(low), NA, ifelse(is.na(clock), low * 1440 + begins + 1439, end)),
               ifelse(is.na(frame$stamp), frame$day * 1440 + begins, frame$stamp))
  last <- ifelse(is.na(stop), frame$day, pmax(frame$day, floor((stop - 1 - begins) / 1440)))
  parts <- lapply(which(!short), function(i) {
    days <- seq(frame$day[i], last[i])
    part <- frame[rep(i, length(days)), , drop = FALSE]
    part$day <- days
    # of later days only where the rate goes on is known; its end counts for the hours around a day
    if (length(days) > 1) part$stamp[-1] <- days[-1] * 1440 + begins
    part$end <- if (is.na(stop[i])) part$stamp else stop[i]
    part$timed <- !is.na(frame$stamp[i])
    part
  })
  do.call(rbind, parts)
}

# body weight: the last up to the moment (or day), else the first after it
weight_on <- function(weights, id, day, stamp) {
  own <- weights[weights$USUBJID == id, , drop = FALSE]
  if (!nrow(own)) return(NA_real_)
  own <- own[order(own$day, own$stamp, na.last = FALSE), , drop = FALSE]
  before <- which(own$day < day | (own$day == day & (is.na(stamp) | is.na(own$stamp) | own$stamp <= stamp)))
  own$AVAL[if (length(before)) max(before) else 1]
}

# data.frame per observation and component: USUBJID, component, code, parameter, day, stamp, end, timed, points, observed
sofa_observations <- function(study, id) {
  key <- paste("sofa observations", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  definition <- sofa_definition(study, dataset)
  parts <- lapply(dataset$measures, function(spec) measure_records(study, dataset, spec, find_by(definition$measures, "code", spec$code)))
  records <- do.call(rbind, parts)
  ratios <- ratio_records(records, definition)
  aside <- set_aside(records, definition)
  records <- aside$records[!aside$records$parameter %in% unlist(definition$ratio), , drop = FALSE]
  weights <- records[records$parameter == definition$rates$weight, , drop = FALSE]
  records <- rbind(records, rate_records(study, dataset, definition, weights))
  records$flag <- NA_character_
  records <- rbind(records, ratios)
  # a switch that the trial turns off leaves its measure out
  for (name in names(definition$switches)) if (isFALSE(dataset[[name]])) {
    records <- records[records$parameter != definition$switches[[name]], , drop = FALSE]
  }
  parts <- lapply(definition$components, function(component) {
    used <- intersect(unique(records$parameter), parameters_in(component$bands))
    own <- records[records$parameter %in% used, , drop = FALSE]
    points <- vapply(seq_len(nrow(own)), function(i) band_points(component$bands, own[i, ], definition$ratio$with), 0)
    data.frame(USUBJID = own$USUBJID, component = rep(component$code, nrow(own)), code = own$code, parameter = own$parameter, day = own$day,
               stamp = own$stamp, end = own$end, timed = own$timed, points = points, observed = own$parameter %in% texts(component$observed_by) | points > 0)
  })
  study$cache[[key]] <- do.call(rbind, parts)
  attr(study$cache[[key]], "under") <- aside$under
  study$cache[[key]]
}

parameters_in <- function(rule) {
  if (!is.list(rule)) return(character(0))
  unique(c(texts(rule$parameter), unlist(lapply(unname(rule), parameters_in))))
}

# the first band from above whose rule holds; a rule that is unknown gives no points
band_points <- function(bands, record, flag_name) {
  look <- function(parameter, at) {
    if (identical(parameter, record$parameter)) return(record)
    if (identical(parameter, flag_name) && !is.na(record$flag)) return(row_of(AVALC = record$flag, CENS = "none", AVAL = NA_real_))
    NULL
  }
  for (band in bands) if (is.null(band$rule) || isTRUE(holds(band$rule, look, list()))) return(as.numeric(band$points))
}
