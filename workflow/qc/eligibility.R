# Eligibility criteria as rules: met, not met, undetermined; deviations per patient.

# value of a parameter for a criterion, at the visit of its dataset
eligibility_look <- function(study, dataset, id) {
  function(parameter, at) {
    for (input in texts(dataset$inputs)) {
      visit <- dataset$visit_of[[input]] %or% dataset$visit
      row <- subject_look(study, input, visit, id)(parameter, at)
      if (!is.null(row)) return(row)
    }
    NULL
  }
}

# matrix of TRUE, FALSE and NA: a row per patient, a column per criterion
eligibility_states <- function(study, id) {
  key <- paste("eligibility", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  states <- vapply(dataset$criteria, function(criterion) {
    vapply(study$ids, function(id) holds(criterion$rule, eligibility_look(study, dataset, id), list()), NA)
  }, rep(NA, length(study$ids)))
  states <- matrix(states, length(study$ids))
  for (i in seq_along(dataset$criteria)) {
    words <- ifelse(is.na(states[, i]), "undetermined", ifelse(states[, i], "met", "not met"))
    keep_derived(study, id, data.frame(PARAMCD = dataset$criteria[[i]]$code, USUBJID = study$ids, AVALC = words))
  }
  study$cache[[key]] <- states
  states
}

KINDS$deviations <- function(analysis) {
  study <- analysis$study
  dataset <- find_dataset(study, analysis$dataset)
  members <- analysis$subjects$USUBJID
  states <- eligibility_states(study, analysis$dataset)[match(members, study$ids), , drop = FALSE]
  inclusion <- vapply(dataset$criteria, function(criterion) criterion$category == "INCLUSION", NA)
  deviation <- sweep(states, 2, inclusion, function(state, wanted) ifelse(wanted, !state, state))
  size <- length(members)
  for (i in seq_along(dataset$criteria)) {
    where <- function(category) list(group = "Overall", parameter = dataset$criteria[[i]]$code,
                                      variable = "AVALC", category = category)
    share(analysis, where(if (inclusion[i]) "Met" else "Met (deviation)"), sum(states[, i] %in% TRUE), size)
    share(analysis, where(if (inclusion[i]) "Not met (deviation)" else "Not met"), sum(states[, i] %in% FALSE), size)
    share(analysis, where("Undetermined"), sum(is.na(states[, i])), size)
  }
  any_of <- apply(deviation, 1, function(row) if (any(row %in% TRUE)) TRUE else if (anyNA(row)) NA else FALSE)
  where <- function(category) list(group = "Overall", parameter = "Any deviation", category = category)
  share(analysis, where("Patients with at least one deviation"), sum(any_of %in% TRUE), size)
  share(analysis, where("Patients without deviation"), sum(any_of %in% FALSE), size)
  share(analysis, where("Patients without a known deviation, a criterion undetermined"), sum(is.na(any_of)), size)
}
