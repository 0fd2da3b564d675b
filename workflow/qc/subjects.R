# Patients: milestones with bounds, last known alive, subject variables, formulas, populations.

# bounds of the first (or last) of the records of a milestone per patient, in the order of `ids`: the first is no later
# than any of them can be, the last no earlier; the clock time where the day is known and all its records have one
milestone_dates <- function(study, milestone, ids) {
  table <- matching(clean(study, milestone$domain), milestone$where)
  if (!is.null(milestone$not_before)) table <- table[!certainly_before(study, milestone, table, ids), , drop = FALSE]
  names <- companions(milestone$date)
  # the record of a patient in dm is no event: without the date nothing is known to have happened
  if (milestone$domain == "dm") table <- table[!is.na(table[[names$high]]), , drop = FALSE]
  low <- days(table[[names$low]])
  high <- days(table[[names$high]])
  clock <- minutes(table[[names$time]])
  happened <- ids %in% table$USUBJID
  known <- !is.na(low)
  table <- table[known, , drop = FALSE]
  low <- low[known]; high <- high[known]; clock <- clock[known]
  result <- list(low = rep(NA_real_, length(ids)), high = rep(NA_real_, length(ids)), time = rep(NA_real_, length(ids)),
                 happened = happened)
  for (i in seq_along(ids)) {
    mine <- which(table$USUBJID == ids[i])
    if (!length(mine)) next
    extreme <- if (milestone$pick == "last") max else min
    result$low[i] <- extreme(low[mine]); result$high[i] <- extreme(high[mine])
    possible <- mine[low[mine] <= result$high[i] & high[mine] >= result$low[i]]
    if (result$low[i] == result$high[i] && !anyNA(clock[possible])) result$time[i] <- extreme(clock[possible])
  }
  result
}

# records on an earlier day than another milestone, or at an earlier time of its day; all of a patient who has it not
certainly_before <- function(study, milestone, table, ids) {
  mark <- study$milestones[[milestone$not_before]]
  names <- companions(milestone$date)
  index <- match(table$USUBJID, ids)
  low <- days(table[[names$low]]); high <- days(table[[names$high]])
  earlier <- high < mark$low[index]
  same <- low == high & mark$low[index] == mark$high[index] & low == mark$low[index]
  !mark$happened[index] | earlier %in% TRUE | (same & minutes(table[[names$time]]) < mark$time[index]) %in% TRUE
}

# day the trial's clock starts; for a patient without it, the milestone that stands for it
trial_origin <- function(study) {
  time <- study$protocol$time
  day <- study$milestones[[time$origin]]$low
  if (!is.null(time$otherwise)) day <- ifelse(is.na(day), study$milestones[[time$otherwise]]$low, day)
  day
}

# last dated evidence of life: latest certain day of any record of the domains, at most the cut-off (ruling 5); a record
# after the last possible day of the death is an error of the data
last_alive_dates <- function(study, ids, without = character(0)) {
  evidence <- study$protocol$last_alive
  cutoff <- days(study$protocol$data_cutoff)
  latest <- rep(NA_real_, length(ids))
  limit <- pmin(rep(cutoff, length(ids)), study$milestones$death$high, na.rm = TRUE)
  for (domain in texts(evidence$domains)) {
    table <- clean(study, domain)
    excluded <- evidence$exclude[[domain]]
    if (!is.null(excluded)) table <- table[!table$row_id %in% matching(table, excluded)$row_id, , drop = FALSE]
    table <- table[!table$row_id %in% without, , drop = FALSE]
    for (column in grep("DT_LO$", names(table), value = TRUE)) {
      day <- days(table[[column]])
      day[day > limit[match(table$USUBJID, ids)]] <- NA
      best <- tapply(day, factor(table$USUBJID, ids), function(x) if (all(is.na(x))) NA else max(x, na.rm = TRUE))
      latest <- pmax(latest, as.numeric(best), na.rm = TRUE)
    }
  }
  latest
}

subject_variable <- function(study, entry, ids) {
  table <- matching(clean(study, entry$domain), entry$where)
  table <- table[!is.na(table[[entry$column]]), , drop = FALSE]
  value <- table[[entry$column]][match(ids, table$USUBJID)]
  if (entry$type == "number") as.numeric(value) else value
}

derive_subjects <- function(study) {
  protocol <- study$protocol
  ids <- clean(study, "dm")$USUBJID
  adsl <- data.frame(USUBJID = ids)
  dm <- clean(study, "dm")
  adsl$ARMCD <- dm$ARMCD
  arms <- stats::setNames(vapply(protocol$arms, function(arm) arm$label, ""), vapply(protocol$arms, function(arm) arm$id, ""))
  adsl$ARM <- unname(arms[dm$ARMCD])
  study$milestones <- list()
  for (milestone in protocol$milestones) {
    dates <- milestone_dates(study, milestone, ids)
    # what happened on an unknown day happened by the cut-off
    dates$high <- ifelse(dates$happened & is.na(dates$high), days(protocol$data_cutoff), dates$high)
    study$milestones[[milestone$id]] <- dates
    exact <- !is.na(dates$low) & dates$low == dates$high
    adsl[[milestone$variable]] <- ifelse(exact, dates$low, NA)
    adsl[[paste0(milestone$variable, "_LO")]] <- dates$low
    adsl[[paste0(milestone$variable, "_HI")]] <- dates$high
  }
  adsl <- ended_by_death(study, adsl)
  alive <- last_alive_dates(study, ids)
  study$milestones$last_alive <- list(low = alive, high = alive, time = rep(NA_real_, length(ids)))
  adsl[[protocol$last_alive$variable]] <- alive
  for (entry in protocol$subject_variables) adsl[[entry$name]] <- subject_variable(study, entry, ids)
  for (entry in protocol$formulas) {
    expression <- parse(text = gsub("**", "^", entry$expression, fixed = TRUE))
    # a formula's round is that of the field, not R's
    adsl[[entry$name]] <- as.numeric(eval(expression, adsl, list2env(list(round = round_away), parent = baseenv())))
  }
  for (entry in protocol$groupings) adsl[[entry$name]] <- band_levels(adsl[[entry$of]], entry$bands)
  for (population in protocol$populations) adsl[[population$variable]] <- population_flag(study, adsl, population)
  death <- study$milestones$death
  # nobody has died before the last day on which another record shows life
  if (!is.null(death)) adsl <- later_death(study, adsl, ids)
  study$ids <- ids
  study$adsl <- adsl
  table <- adsl
  dated <- c(grep("DT(_LO|_HI)?$", names(table), value = TRUE))
  table[dated] <- lapply(table[dated], day_text)
  keep_derived(study, "adsl", table)
}

# what has a partial date happened by the last possible day of the death
ended_by_death <- function(study, adsl) {
  last <- study$milestones$death$high
  if (is.null(last)) return(adsl)
  for (milestone in study$protocol$milestones) {
    dates <- study$milestones[[milestone$id]]
    partial <- dates$happened & (is.na(dates$low) | dates$low < dates$high)
    cut <- partial & !is.na(last) & last < dates$high & (is.na(dates$low) | dates$low <= last)
    study$milestones[[milestone$id]]$high[cut] <- last[cut]
    adsl[[paste0(milestone$variable, "_HI")]][cut] <- last[cut]
  }
  adsl
}

# a partial date of death starts no earlier than the last evidence of life from other records
later_death <- function(study, adsl, ids) {
  for (milestone in study$protocol$milestones) if (milestone$id == "death") {
    death <- study$milestones$death
    partial <- death$happened & (is.na(death$low) | death$low < death$high)
    records <- matching(clean(study, milestone$domain), milestone$where)$row_id
    seen <- last_alive_dates(study, ids, records)
    high <- ifelse(death$happened & is.na(death$high), days(study$protocol$data_cutoff), death$high)
    low <- ifelse(partial, pmax(death$low, seen, na.rm = TRUE), death$low)
    study$milestones$death$low <- low
    adsl[[paste0(milestone$variable, "_LO")]] <- low
    # bounds that meet leave one day
    adsl[[milestone$variable]] <- ifelse(!is.na(low) & low == adsl[[paste0(milestone$variable, "_HI")]], low, NA)
  }
  adsl
}

population_flag <- function(study, adsl, population) {
  member <- rep(TRUE, nrow(adsl))
  for (id in texts(population$require)) member <- member & study$milestones[[id]]$happened
  for (name in names(population$where)) member <- member & adsl[[name]] %in% texts(population$where[[name]])
  ifelse(member, "Y", "N")
}

in_population <- function(study, id) {
  for (population in study$protocol$populations) {
    if (population$id == id) return(study$adsl[[population$variable]] == "Y")
  }
  stop("no population ", id)
}

# ---- description of patients ------------------------------------------------------------------------------

KINDS$populations <- function(analysis) {
  for (population in analysis$study$protocol$populations) {
    emit(analysis, list(group = "Overall", category = population$id),
         n = sum(analysis$study$adsl[[population$variable]] == "Y"), denominator = nrow(analysis$study$adsl))
  }
}

KINDS$flow <- function(analysis) {
  study <- analysis$study
  inside <- list()
  for (box in analysis$spec$boxes) {
    member <- if (is.null(box$parent)) in_population(study, analysis$population) else inside[[box$parent]]
    for (id in texts(box$require)) member <- member & reached(study, id, box$before)
    for (id in texts(box$absent)) member <- member & !reached(study, id, NULL)
    for (name in names(box$where)) member <- member & study$adsl[[name]] %in% texts(box$where[[name]])
    inside[[box$id]] <- member
    for (group in names(groups(analysis))) {
      emit(analysis, list(group = group, category = box$id), n = sum(study$ids[member] %in% groups(analysis)[[group]]))
    }
  }
}

# patients who reached a milestone, certainly before each of others if named
reached <- function(study, id, before) {
  dates <- study$milestones[[id]]
  result <- dates$happened
  for (other in texts(before)) {
    limit <- study$milestones[[other]]
    sooner <- dates$high < limit$low | (dates$high == limit$low & dates$time < limit$time)
    result <- result & (!limit$happened | sooner %in% TRUE)
  }
  result
}

KINDS$baseline <- function(analysis) {
  parts <- groups(analysis)
  for (item in analysis$spec$items) for (group in names(parts)) {
    # an item whose data have no second derivation leaves the others
    if (is.null(item$variable)) tryCatch(baseline_finding(analysis, item, group, parts[[group]]), not_covered = function(condition) NULL)
    else baseline_variable(analysis, item$variable, group, parts[[group]])
  }
  for (item in analysis$spec$items) if (!is.null(item$variable)) baseline_test(analysis, item$variable)
}

baseline_variable <- function(analysis, variable, group, members) {
  values <- analysis$study$adsl[[variable]][analysis$study$ids %in% members]
  where <- list(group = group, variable = variable)
  if (is.numeric(values)) {
    describe(analysis, where, values)
    emit(analysis, where, missing = sum(is.na(values)))
  } else baseline_levels(analysis, where, values, level_order(analysis$study, variable))
}

baseline_levels <- function(analysis, where, values, levels) {
  if (!length(levels)) levels <- sort(unique(values[!is.na(values)]))
  known <- sum(!is.na(values))
  for (level in levels) share(analysis, c(where, list(category = level)), sum(values %in% level), known)
  all <- if (is.null(where$variable)) values else analysis$subjects[[where$variable]]
  if (anyNA(values) || anyNA(all)) {
    share(analysis, c(where, list(category = "Missing")), length(values) - known, length(values))
  }
}

baseline_finding <- function(analysis, item, group, members) {
  study <- analysis$study
  table <- dataset_values(study, item$dataset)
  part <- table[table$PARAMCD == item$parameter & table$AVISIT == analysis$spec$visit & table$USUBJID %in% members, , drop = FALSE]
  where <- list(group = group, parameter = item$parameter)
  if (any(part$text) || (!nrow(part) && text_parameter(study, item))) {
    values <- part$AVALC[match(members, part$USUBJID)]
    return(baseline_levels(analysis, where, values, character(0)))
  }
  emit(analysis, where, missing = length(members) - nrow(part))
  describe_censored(analysis, where, part, always = FALSE)
}

text_parameter <- function(study, item) {
  for (parameter in find_dataset(study, item$dataset)$parameters) if (parameter$code == item$parameter) return(parameter$type == "text")
  FALSE
}

# moments, SAS quantiles (definition 5 is R's type 2) and range
describe <- function(analysis, where, values) {
  values <- values[!is.na(values)]
  n <- length(values)
  emit(analysis, where, n = n)
  if (!n) return(invisible())
  quartile <- function(p) unname(stats::quantile(values, p, type = 2))
  emit(analysis, where, mean = mean(values), median = quartile(.5), q1 = quartile(.25), q3 = quartile(.75),
       min = min(values), max = max(values))
  emit(analysis, where, sd = if (n > 1) stats::sd(values) else NA)
}
