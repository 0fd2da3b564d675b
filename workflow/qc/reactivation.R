# Time from the first response to reactivation (ruling 15): signs of disease at each later assessment, in three-valued
# logic; responders alone, death and the other declared milestones compete.

# visits of a patient with an assessed response, by day; days counted from another milestone tell no first response
assessed_responses <- function(study, source, set, patient) {
  table <- responses(study, source$id)
  dated <- Filter(function(visit) !isTRUE(visit$baseline) && is.null(visit$anchor), find_visits(study, source$visits)$visits)
  labels <- vapply(dated, function(visit) visit$label, "")
  table <- table[table$USUBJID == patient & table$RULESET == set & table$STATUS == "assessed" & !is.na(table$day) &
                   table$AVISIT %in% labels, , drop = FALSE]
  table[order(table$day), , drop = FALSE]
}

# records that reactivation is judged by: under treatment, before the milestones that end assessment
signs_of <- function(study, source, dataset, used, patient) {
  records <- response_inputs(study, list(id = dataset$id, inputs = dataset$inputs))$records
  index <- which(study$ids == patient)
  stop <- min(c(Inf, vapply(texts(find_visits(study, source$visits)$stop_before), function(m) study$milestones[[m]]$low[index], 0)), na.rm = TRUE)
  keep <- records$USUBJID == patient & records$PARAMCD %in% used & records$day < stop & after_start(study, records, index)
  records <- records[keep, , drop = FALSE]
  records[order(records$day, ifelse(is.na(records$clock), 0, records$clock)), , drop = FALSE]
}

# a record of the day of the first dose is before it unless both clock times say otherwise
after_start <- function(study, records, index) {
  start <- study$milestones[[study$protocol$time$origin]]
  if (is.na(start$low[index])) return(rep(TRUE, nrow(records)))
  records$day > start$low[index] |
    (records$day == start$low[index] & !is.na(records$clock) & !is.na(start$time[index]) & records$clock > start$time[index])
}

# function(parameter) giving the last value up to a day that is not too old
last_value <- function(records, day, max_age) function(parameter) {
  row <- records[records$PARAMCD == parameter & records$day <= day & records$day >= day - max_age, , drop = FALSE]
  if (nrow(row)) row[nrow(row), ] else NULL
}

# list(found, last): day of the first reactivation among all days with a measurement after the response, and the last
# day on which it could be judged
follow_signs <- function(records, responses, best, rules, items, max_age) {
  held <- responses[1, , drop = FALSE]; last <- held$day; complete <- responses$day[responses$AVALC == best]
  for (day in sort(unique(records$day[records$day > held$day]))) {
    # from a later complete response on the rule after it holds; that assessment is a response
    if (held$AVALC != best && any(complete <= day)) held <- responses[responses$day == complete[complete <= day][1] & responses$AVALC == best, , drop = FALSE][1, ]
    if (day == held$day) { last <- day; next }
    now <- last_value(records, day, max_age); before <- last_value(records, held$day, max_age)
    look <- function(parameter, at) if (at == "baseline") before(parameter) else now(parameter)
    state <- holds(if (held$AVALC == best) rules$COMPLETE else rules$PARTIAL, look, items)
    if (isTRUE(state)) return(list(found = day, last = day))
    if (!is.na(state)) last <- day
  }
  list(found = NA, last = last)
}

# data.frame per responder: USUBJID, STARTDT, ADT, AVAL, CNSR, EVENT
reactivations <- function(study, id) {
  key <- paste("reactivation", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  source <- find_dataset(study, dataset$source)
  definition <- find_by(study$reference("response_rules")$reactivation, "id", dataset$criteria)
  levels <- vapply(find_by(study$reference("response_rules")$rule_sets, "id", dataset$rule_set)$levels, function(level) level$code, "")
  # a level counts with all better ones
  enough <- levels[seq_len(max(match(texts(dataset$levels), levels)))]
  items <- known_items(definition$items, declared_parameters(study, dataset))
  rule_of <- function(code) without_unknown(find_by(definition$levels, "code", code)$rule, names(items))
  rules <- list(COMPLETE = rule_of("COMPLETE"), PARTIAL = rule_of("PARTIAL"))
  rows <- lapply(seq_along(study$ids), function(i) {
    seen <- assessed_responses(study, source, dataset$rule_set, study$ids[i])
    seen <- seen[seen$AVALC %in% enough, , drop = FALSE]
    if (!nrow(seen)) return(NULL)
    start <- seen$day[1]
    row <- function(day, code, event) data.frame(USUBJID = study$ids[i], STARTDT = start, ADT = day, AVAL = day - start, CNSR = code, EVENT = event)
    highs <- vapply(texts(dataset$competing), function(m) study$milestones[[m]]$high[i], 0)
    if (any(highs < start, na.rm = TRUE)) return(row(NA_real_, NA_real_, NA_character_))
    course <- follow_signs(signs_of(study, source, dataset, unique(rule_parameters(items)), study$ids[i]), seen, levels[1], rules, items, source$max_age)
    end <- first_milestone(study, texts(dataset$competing), i, start)
    # what cannot be ordered is a reactivation
    if (!is.na(course$found) && (is.null(end) || end$high >= course$found)) return(row(course$found, 0, "reactivation"))
    if (!is.null(end)) return(row(end$day, 1 + end$place, end$id))
    row(course$last, 1, NA_character_)
  })
  none <- data.frame(USUBJID = character(0), STARTDT = numeric(0), ADT = numeric(0), AVAL = numeric(0), CNSR = numeric(0), EVENT = character(0))
  table <- do.call(rbind, c(list(none), rows))
  study$cache[[key]] <- table
  table
}

TIMES$reactivation <- function(analysis) {
  study <- analysis$study
  table <- reactivations(study, analysis$dataset)
  key <- paste("kept reactivation", analysis$outcome$paramcd, analysis$scenario)
  if (is.null(study$cache[[key]])) {
    shown <- table; shown$STARTDT <- day_text(shown$STARTDT); shown$ADT <- day_text(shown$ADT)
    keep_derived(study, analysis$dataset, cbind(PARAMCD = analysis$outcome$paramcd, SCENARIO = analysis$scenario, shown))
    study$cache[[key]] <- TRUE
  }
  table
}

CAUSES$reactivation <- function(analysis) {
  list(event = "reactivation", competing = texts(find_dataset(analysis$study, analysis$dataset)$competing))
}

# times in those who have the event, which is conditional on it
KINDS$event_time <- function(analysis) {
  table <- analysed_times(analysis)
  for (group in names(groups(analysis))) {
    time <- table$AVAL[table$USUBJID %in% groups(analysis)[[group]] & table$CNSR %in% 0]
    where <- list(group = group, category = "patients with the event")
    quartile <- function(p) if (length(time)) unname(stats::quantile(time, p, type = 2)) else NA
    emit(analysis, where, n = length(time), median = quartile(.5), q1 = quartile(.25), q3 = quartile(.75), min = quartile(0),
         max = quartile(1))
  }
}
