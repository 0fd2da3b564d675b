# Response per visit under a rule-set, in three-valued logic (rulings 12 to 14).

response_inputs <- function(study, dataset) {
  key <- paste("response records", dataset$id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  all <- lapply(texts(dataset$inputs), function(id) {
    records <- finding_records(study, find_dataset(study, id))
    records[records$present & !is.na(records$day), , drop = FALSE]
  })
  visits <- lapply(texts(dataset$inputs), function(id) analysed_findings(study, id))
  columns <- Reduce(intersect, lapply(visits, names))
  study$cache[[key]] <- list(records = do.call(rbind, all), visits = do.call(rbind, lapply(visits, `[`, columns)))
  study$cache[[key]]
}

# was none of the medicines given in the days up to a day?
medicine_free <- function(study, dataset, id) {
  if (!"cm" %in% texts(dataset$domains)) return(function(names, span, day) TRUE)
  cm <- clean(study, "cm")
  cm <- cm[cm$USUBJID == id, , drop = FALSE]
  function(names, span, day) {
    given <- cm[cm$CMDECOD %in% names, , drop = FALSE]
    if (!nrow(given)) return(TRUE)
    start <- days(given$CMSTDT_LO)
    end <- if ("CMENDT_HI" %in% names(given)) days(given$CMENDT_HI) else start
    end <- ifelse(is.na(end), start, end)
    if (any(!is.na(start) & start <= day & end > day - span)) return(FALSE)
    if (any(is.na(start))) return(NA)
    TRUE
  }
}

# data.frame USUBJID, RULESET, AVISIT, STATUS, AVALC, CARRIED and the day of the assessment
responses <- function(study, id) {
  key <- paste("response", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  sets <- study$reference("response_rules")$rule_sets
  rows <- list()
  for (name in texts(dataset$rule_sets)) {
    set <- find_by(sets, "id", name)
    for (patient in study$ids) rows[[length(rows) + 1]] <- patient_responses(study, dataset, set, patient)
  }
  study$cache[[key]] <- do.call(rbind, rows)
  shown <- study$cache[[key]]
  keep_derived(study, id, cbind(PARAMCD = "OVRLRESP", shown[c("RULESET", "AVISIT", "USUBJID", "STATUS", "AVALC", "CARRIED")],
                                ADT = day_text(shown$day)))
  study$cache[[key]]
}

patient_responses <- function(study, dataset, set, patient) {
  inputs <- response_inputs(study, dataset)
  index <- which(study$ids == patient)
  records <- inputs$records[inputs$records$USUBJID == patient, , drop = FALSE]
  at_visit <- inputs$visits[inputs$visits$USUBJID == patient, , drop = FALSE]
  items <- known_items(set$items, unique(c(inputs$records$PARAMCD, declared_parameters(study, dataset))))
  used <- unique(rule_parameters(items))
  visits <- find_visits(study, dataset$visits)
  baseline <- Filter(function(visit) isTRUE(visit$baseline), visits$visits)[[1]]$label
  stop <- min(c(Inf, vapply(texts(visits$stop_before), function(m) study$milestones[[m]]$low[index], 0)), na.rm = TRUE)
  death <- study$milestones$death$low[index]
  carry <- if (is.null(dataset$carried_after)) NA else study$milestones[[dataset$carried_after]]$low[index]
  last <- NULL
  rows <- list()
  for (visit in visits$visits) {
    if (isTRUE(visit$baseline)) next
    frame <- visit_frame(study, visit)
    target <- frame$origin[index] + frame$target
    # a visit counted from a milestone that did not happen does not exist
    if (is.na(target) && frame$anchored) next
    result <- list(status = "not_reached", level = NA, day = NA, carried = FALSE)
    if (!is.na(target)) {
      here <- at_visit[at_visit$AVISIT == visit$label & at_visit$PARAMCD %in% used, , drop = FALSE]
      if (nrow(here)) {
        day <- max(here$day)
        result <- judged(study, dataset, set, items, records, at_visit, here, baseline, day, patient, stop)
        # what is carried is an assessment that could be judged
        if (result$level != "NE") last <- result
      } else if (!is.na(death) && death <= target) {
        result <- list(status = "dead", level = "DEAD", day = NA, carried = FALSE)
      } else if (!is.na(carry) && carry <= target && !frame$anchored) {
        result <- list(status = "conditioned", level = if (is.null(last)) "NE" else last$level,
                       day = if (is.null(last)) NA else last$day, carried = !is.null(last))
      } else result <- list(status = "not_evaluable", level = "NE", day = NA, carried = FALSE)
    }
    rows[[length(rows) + 1]] <- data.frame(USUBJID = patient, RULESET = set$id, AVISIT = visit$label, STATUS = result$status,
                                           AVALC = result$level, CARRIED = if (result$carried) "Y" else NA, day = result$day,
                                           states = paste(result$states, collapse = " "))
  }
  do.call(rbind, rows)
}

declared_parameters <- function(study, dataset) {
  unlist(lapply(texts(dataset$inputs), function(id) vapply(find_dataset(study, id)$parameters, function(p) p$code, "")))
}

rule_parameters <- function(items) {
  named <- unlist(items)
  c(vapply(items, function(item) item$parameter, ""), named[grepl("parameter$", names(named))])
}

# value of a parameter at an assessment: a record of its window, or the latest one at most max_age days old and before
# `stop`; what was the baseline is no assessment under treatment
visit_look <- function(records, here, day, max_age, stop, base) {
  oldest <- day - max_age
  function(parameter) {
    row <- here[here$PARAMCD == parameter & here$day >= oldest, , drop = FALSE]
    if (!nrow(row)) {
      row <- records[records$PARAMCD == parameter & records$day <= day & records$day >= oldest & records$day < stop, , drop = FALSE]
      before <- base$day[base$PARAMCD == parameter]
      if (length(before)) row <- row[row$day > before[1], , drop = FALSE]
      row <- row[order(-row$day, -ifelse(is.na(row$clock), 0, row$clock)), , drop = FALSE]
    }
    if (nrow(row)) row[1, ] else NULL
  }
}

# response at one visit from the records of its window and, where an item is missing, one at most max_age old
judged <- function(study, dataset, set, items, records, at_visit, here, baseline, day, patient, stop) {
  base <- at_visit[at_visit$AVISIT == baseline, , drop = FALSE]
  at_day <- visit_look(records, here, day, dataset$max_age, stop, base)
  look <- function(parameter, at) {
    if (at != "baseline") return(at_day(parameter))
    row <- base[base$PARAMCD == parameter, , drop = FALSE]
    if (nrow(row)) row[1, ] else NULL
  }
  medicine <- medicine_free(study, dataset, patient)
  states <- vapply(set$levels, function(level) holds(without_unknown(level$rule, names(items)), look, items, medicine = medicine), NA)
  codes <- vapply(set$levels, function(level) level$code, "")
  best <- if (any(states %in% TRUE)) codes[states %in% TRUE][1] else if (anyNA(states)) "NE" else "NR"
  list(status = if (best == "NE") "not_evaluable" else "assessed", level = best, day = day, carried = FALSE, states = states)
}

KINDS$response_by_visit <- function(analysis) {
  spec <- analysis$spec
  table <- responses(analysis$study, analysis$dataset)
  table <- table[table$RULESET == spec$rule_set, , drop = FALSE]
  levels <- texts(spec$levels)
  for (group in names(groups(analysis))) for (visit in texts(spec$visits)) {
    members <- groups(analysis)[[group]]
    part <- table[table$AVISIT == visit & table$USUBJID %in% members, , drop = FALSE]
    size <- length(members)
    where <- function(category) list(group = group, parameter = spec$rule_set, visit = visit, category = category)
    for (i in seq_along(levels)) {
      share(analysis, where(levels[i]), sum(part$AVALC %in% levels[i]), size, spec$conf_level)
      if (i > 1) {
        share(analysis, where(paste(levels[1:i], collapse = "+")), sum(part$AVALC %in% levels[1:i]), size, spec$conf_level)
      }
    }
    other <- !part$AVALC %in% c(levels, "NR", "NE", "DEAD") & !is.na(part$AVALC)
    if (any(other)) share(analysis, where("Other level"), sum(other), size)
    share(analysis, where("No response"), sum(part$AVALC %in% "NR"), size)
    share(analysis, where("Not evaluable"), sum(part$AVALC %in% "NE"), size)
    without <- length(setdiff(members, part$USUBJID))
    if (without) share(analysis, where("No visit derived"), without, size)
    share(analysis, where("Dead"), sum(part$STATUS == "dead"), size)
    share(analysis, where("Carried from before conditioning"), sum(part$CARRIED %in% "Y"), size)
    share(analysis, where("Assessed"), sum(part$STATUS == "assessed"), size)
  }
}
