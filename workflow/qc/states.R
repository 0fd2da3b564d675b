# State at the earlier of a terminal milestone and a horizon, and the proportion of successes.

# data.frame per patient: USUBJID, AVALC (reached, alive, dead, lost), AVAL, ADT, ATIME
state_at_horizon <- function(study, outcome) {
  endpoint <- outcome$endpoint
  origin <- study$milestones[[endpoint$origin]]$low
  limit <- origin + endpoint$horizon
  size <- length(study$ids)
  terminal <- if (is.null(endpoint$terminal)) rep(NA_real_, size) else event_dates(study, endpoint$terminal)
  death <- event_dates(study, endpoint$death)
  alive <- study$milestones$last_alive$low
  first <- graft_first(study, c(endpoint$terminal, endpoint$death), "hsct", "death") | taken_first(study, endpoint)
  reached <- !is.na(terminal) & terminal <= limit & (is.na(death) | terminal < death | (terminal == death & first))
  dead <- !reached & !is.na(death) & death <= limit
  seen <- pmax(alive, terminal, na.rm = TRUE) >= limit | (!is.na(death) & death > limit)
  state <- ifelse(reached, "reached", ifelse(dead, "dead", ifelse(seen, "alive", "lost")))
  day <- ifelse(reached, terminal, ifelse(dead, death, ifelse(state == "alive", limit, alive)))
  success <- ifelse(state %in% texts(endpoint$success), 1, 0)
  lost <- endpoint$lost
  success[state == "lost"] <- if (lost == "exclude") NA else if (lost == "success") 1 else 0
  success[failed_between(study, outcome, origin, day)] <- 0
  treated <- !is.na(origin)
  data.frame(USUBJID = study$ids, AVALC = ifelse(treated, state, NA), AVAL = ifelse(treated, success, NA),
             ADT = ifelse(treated, day, NA), ATIME = ifelse(treated & day >= origin, day - origin, NA))
}

# TRUE where an intercurrent event that counts as failure may lie between two days, both included
failed_between <- function(study, outcome, from, to) {
  failed <- rep(FALSE, length(study$ids))
  for (id in composite_failures(study, outcome)) {
    when <- study$milestones[[id]]
    failed <- failed | (when$happened & when$high >= from & (is.na(when$low) | when$low <= to)) %in% TRUE
  }
  failed
}

STATES <- list(state_at_horizon = c("reached", "alive", "dead", "lost"), sofa_response = c("success", "no_decrease", "dead", "missing"))

# the state table of an outcome, kept for the comparison patient by patient
outcome_states <- function(analysis) {
  study <- analysis$study
  key <- paste("state", analysis$outcome$id, analysis$scenario)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  kind <- analysis$outcome$endpoint$kind
  table <- switch(kind, state_at_horizon = state_at_horizon(study, analysis$outcome),
                  sofa_response = sofa_response(study, analysis$outcome), not_covered("endpoint kind ", kind))
  shown <- table; shown$ADT <- day_text(shown$ADT)
  keep_derived(study, analysis$outcome$endpoint$dataset, cbind(PARAMCD = analysis$outcome$paramcd, SCENARIO = analysis$scenario, shown))
  study$cache[[key]] <- table
  table
}

KINDS$proportion <- function(analysis) {
  spec <- analysis$spec
  table <- outcome_states(analysis)
  states <- STATES[[analysis$outcome$endpoint$kind]]
  for (group in names(groups(analysis))) {
    members <- groups(analysis)[[group]]
    part <- table[table$USUBJID %in% members, , drop = FALSE]
    for (state in setdiff(states, "success")) {
      share(analysis, list(group = group, category = state), sum(part$AVALC %in% state), length(members))
    }
    known <- sum(!is.na(part$AVAL)); n <- sum(part$AVAL, na.rm = TRUE)
    share(analysis, list(group = group, category = "success"), n, known, spec$conf_level)
    if (!is.null(spec$null_value)) {
      side <- switch(spec$alternative, greater = "greater", less = "less", "two.sided")
      emit(analysis, list(group = group, category = "success"),
           p = if (known) stats::binom.test(n, known, spec$null_value, alternative = side)$p.value else NA)
    }
  }
}
