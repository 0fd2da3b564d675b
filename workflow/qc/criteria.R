# Diagnostic criteria and scores at one visit, from resources/reference/criteria.yaml.

find_by <- function(list, key, value) {
  for (entry in list) if (identical(entry[[key]], value)) return(entry)
  stop("no ", key, " ", value)
}

definition_of <- function(study, id) {
  all <- study$reference("criteria")$definitions
  own <- find_by(all, "id", id)
  if (is.null(own$based_on)) return(own)
  base <- definition_of(study, own$based_on)
  for (item in own$items) for (i in seq_along(base$items)) if (base$items[[i]]$code == item$code) base$items[[i]] <- item
  for (name in setdiff(names(own), c("items", "based_on"))) base[[name]] <- own[[name]]
  base
}

# value of a parameter of a patient at a visit, from findings or the patient's own variables
subject_look <- function(study, inputs, visit, id) {
  function(parameter, at) {
    for (input in texts(inputs)) {
      table <- dataset_values(study, input)
      row <- table[table$USUBJID == id & table$PARAMCD == parameter & table$AVISIT == visit, , drop = FALSE]
      if (nrow(row)) return(row)
    }
    if (parameter %in% names(study$adsl)) {
      value <- study$adsl[[parameter]][study$ids == id]
      if (is.na(value)) return(NULL)
      numeric <- is.numeric(value)
      return(data.frame(AVAL = if (numeric) value else NA_real_, AVALC = as.character(value), CENS = "none", LLOQ = NA, ULOQ = NA,
                        ULN = NA, day = NA))
    }
    NULL
  }
}

criteria_values <- function(study, id) {
  key <- paste("criteria", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  rows <- list()
  for (name in texts(dataset$definitions)) {
    definition <- definition_of(study, name)
    for (patient in study$ids) {
      look <- subject_look(study, dataset$inputs, dataset$visit, patient)
      values <- if (is.null(definition$total)) count_criteria(definition, look) else score_points(definition, look)
      rows[[length(rows) + 1]] <- data.frame(USUBJID = patient, PARAMCD = paste0(definition$prefix, values$code),
                                             AVAL = values$number, AVALC = values$text, CENS = values$side)
    }
  }
  table <- do.call(rbind, rows)
  table$AVISIT <- dataset$visit
  table$LLOQ <- ifelse(table$CENS == "left", table$AVAL, NA); table$ULOQ <- ifelse(table$CENS == "right", table$AVAL, NA)
  table <- table[!is.na(table$AVAL) | !is.na(table$AVALC), , drop = FALSE]
  study$cache[[key]] <- table
  table
}

VALUES$criteria <- criteria_values

yes_no <- function(state) ifelse(is.na(state), NA, ifelse(state, "Y", "N"))

count_criteria <- function(definition, look) {
  codes <- vapply(definition$items, function(item) item$code, "")
  states <- vapply(definition$items, function(item) holds(item$met, look, list()), NA)
  least <- as.numeric(definition$diagnosis$least)
  met <- sum(states, na.rm = TRUE); known <- sum(!is.na(states))
  enough <- if (met >= least) TRUE else if (met + length(states) - known < least) FALSE else NA
  alone <- if (is.null(definition$diagnosis$or)) FALSE else holds(definition$diagnosis$or, look, list())
  list(code = c(codes, "DIAG", "NMET", "NASS"), text = c(yes_no(states), yes_no(enough | alone), NA, NA),
       number = c(rep(NA, length(states) + 1), met, known), side = "none")
}

# points an item may have: all bands that can be the first that holds
possible_points <- function(item, look) {
  found <- numeric(0)
  for (band in item$points) {
    state <- if (is.null(band$rule)) TRUE else holds(band$rule, look, list())
    if (is.na(state) || state) found <- c(found, as.numeric(band$points))
    if (!is.na(state) && state) break
  }
  found
}

score_points <- function(definition, look) {
  points <- lapply(definition$items, possible_points, look)
  codes <- vapply(definition$items, function(item) item$code, "")
  low <- sum(vapply(points, min, 0)); high <- sum(vapply(points, max, 0))
  total <- if (low == high) low else NA
  chance <- probability(definition, low, high)
  side <- rep("none", length(codes) + 2 + length(definition$total$cutoffs))
  side[length(codes) + 2] <- chance$side
  cuts <- vapply(definition$total$cutoffs, as.numeric, 0)
  above <- ifelse(low >= cuts, TRUE, ifelse(high < cuts, FALSE, NA))
  list(code = c(codes, definition$total$code, "PROB", paste0("GE", cuts)),
       text = c(rep(NA, length(codes) + 2), yes_no(above)),
       number = c(vapply(points, function(p) if (length(p) == 1) p else NA_real_, 0), total, chance$percent, rep(NA, length(cuts))),
       side = side)
}

# linear on the logit between the published totals; beyond the table below its first or above its last percentage,
# which may be known where the total is not
probability <- function(definition, low, high) {
  at <- vapply(definition$total$probability, function(p) as.numeric(p$total), 0)
  percent <- vapply(definition$total$probability, function(p) as.numeric(p$percent), 0)
  if (high < min(at)) return(list(percent = percent[1], side = "left"))
  if (low > max(at)) return(list(percent = percent[length(percent)], side = "right"))
  if (low != high) return(list(percent = NA, side = "none"))
  list(percent = 100 * stats::plogis(stats::approx(at, stats::qlogis(percent / 100), low)$y), side = "none")
}
