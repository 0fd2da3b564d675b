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

KINDS$deviations <- function(analysis) {
  study <- analysis$study
  dataset <- find_dataset(study, analysis$dataset)
  members <- analysis$subjects$USUBJID
  states <- vapply(dataset$criteria, function(criterion) {
    vapply(members, function(id) holds(criterion$rule, eligibility_look(study, dataset, id), list()), NA)
  }, rep(NA, length(members)))
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
