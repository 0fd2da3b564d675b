# Time to event: from the origin to the first of the declared events; the rest of the declared ones compete.

# order of events of one day (ruling 3): GVHD, then relapse, then death, then anything else such as a discharge;
# an infusion of the graft comes before the death of that day only where both clock times say so
day_rank <- function(id) {
  if (grepl("gvhd", id)) 1 else if (grepl("relapse", id)) 2 else if (grepl("death", id)) 3 else 4
}

# day on which an event counts: a partial date of something good counts as late as it can be, of death as early, but not
# before the origin where it can be after it
event_dates <- function(study, id, origin = list(low = NA)) {
  dates <- event_bounds(study, id)
  if (day_rank(id) < 4) first_possible(dates, origin) else dates$high
}

event_bounds <- function(study, id) {
  dates <- study$milestones[[id]]
  if (is.null(dates)) derived_event(study, id) else dates
}

first_possible <- function(dates, origin) {
  # what happened on an unknown day has no first one but the origin
  low <- ifelse(is.na(dates$low) & !is.na(dates$high), -Inf, dates$low)
  from <- ifelse(!is.na(origin$low) & low < origin$low & dates$high >= origin$low, origin$low, low)
  ifelse(is.finite(from), from, NA)
}

# bounds of the first dated row of a parameter of a derived dataset
derived_event <- function(study, id) {
  for (event in study$protocol$derived_events) if (event$id == id) {
    if (length(event$where)) return(filtered_event(study, event))
    kind <- find_dataset(study, event$dataset)$kind
    if (is.null(EVENTS[[kind]])) not_covered("event ", id, " of a dataset of kind ", kind)
    return(EVENTS[[kind]](study, event$dataset, event$parameter))
  }
  stop("no event ", id)
}

# TRUE where the infusion of the graft on the day of death is known to come first
graft_first <- function(study, ids, graft, death) {
  if (!graft %in% ids || !death %in% ids) return(rep(FALSE, length(study$ids)))
  a <- study$milestones[[graft]]; b <- study$milestones[[death]]
  !is.na(a$low) & !is.na(b$low) & a$high == b$low & !is.na(a$time) & !is.na(b$time) & a$time < b$time
}

# TRUE where death and the terminal milestone of one day have no times that order them and the scenario takes the latter first
taken_first <- function(study, endpoint) {
  if (!identical(endpoint$unordered, "terminal") || is.null(endpoint$terminal)) return(rep(FALSE, length(study$ids)))
  a <- study$milestones[[endpoint$terminal]]; b <- study$milestones[[endpoint$death]]
  ordered <- !is.na(a$time) & !is.na(b$time) & a$time != b$time
  !is.na(a$low) & !is.na(b$low) & a$low == a$high & b$low == b$high & a$low == b$low & !ordered
}

# event and competing milestones of an endpoint
endpoint_events <- function(endpoint) {
  if (endpoint$kind == "state_at_horizon") {
    list(event = endpoint$death, competing = texts(endpoint$terminal), censor = "last_alive")
  } else list(event = texts(endpoint$event), competing = texts(endpoint$competing), censor = endpoint$censor)
}

# milestones of intercurrent events that count as failure
composite_failures <- function(study, outcome) {
  strategies <- outcome$estimand$intercurrent
  chosen <- Filter(function(event) identical(strategies[[event$id]], "composite_failure"), study$protocol$intercurrent_events)
  vapply(chosen, event_name, "")
}

member_of_any <- function(study, populations) {
  member <- rep(FALSE, length(study$ids))
  for (id in texts(populations)) member <- member | in_population(study, id)
  member
}

# first of the events named, in their declared order: list(day, event, early, early_event), early where one is before the
# origin, which is then no candidate; early_event is the first of those.
# One replaces those named before it where it is certainly before them; of one day the order of ranks decides. A death in
# an unknown part of a time is after any exact event of that time, which shows life. A partial date counts on its first
# possible day; `late`: that of something good on its last.
first_of <- function(study, all, failures, origin, endpoint, late) {
  size <- length(study$ids)
  day <- rep(NA_real_, size); low <- high <- rank <- day
  event <- rep(NA_character_, size); early <- rep(FALSE, size)
  early_day <- rep(Inf, size); early_rank <- rep(Inf, size); early_event <- event
  graft <- graft_first(study, all, "hsct", "death") | taken_first(study, endpoint)
  for (id in all) {
    dates <- event_bounds(study, id)
    before <- !is.na(dates$high) & !is.na(origin$low) & dates$high < origin$low
    if (!id %in% failures) early <- early | before
    from <- first_possible(dates, origin); to <- dates$high; from[before] <- NA
    own <- ifelse(id == "hsct" & graft, 2.5, day_rank(id))
    told <- before & !id %in% failures
    ahead <- told & (dates$high < early_day | (dates$high == early_day & own < early_rank))
    early_day[ahead] <- dates$high[ahead]; early_rank[ahead] <- own[ahead]; early_event[ahead] <- id
    same <- from == to & low == high & from == low & own < rank
    shows_life <- from == to & event %in% "death" & low < high & from >= low & from <= high
    sooner <- !is.na(from) & (is.na(day) | to < low | same %in% TRUE | shows_life %in% TRUE)
    day[sooner] <- (if (late && day_rank(id) == 4) to else from)[sooner]
    low[sooner] <- from[sooner]; high[sooner] <- to[sooner]; rank[sooner] <- own[sooner]; event[sooner] <- id
  }
  list(day = ifelse(is.na(day), Inf, day), event = event, early = early, early_event = early_event)
}

# data.frame per patient: USUBJID, STARTDT, ADT, AVAL, CNSR, EVENT
time_to_event <- function(study, outcome) {
  endpoint <- outcome$endpoint
  failures <- composite_failures(study, outcome)
  key <- paste(jsonlite::toJSON(endpoint, auto_unbox = TRUE, null = "null"), paste(failures, collapse = " "))
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  origin <- study$milestones[[endpoint$origin]]
  names <- endpoint_events(endpoint)
  names$event <- c(names$event, failures)
  if (!is.null(endpoint$entry)) not_covered("left truncation")
  censoring <- unlist(outcome$estimand$intercurrent) %in% c("hypothetical", "while_on_treatment")
  if (endpoint$kind == "time_to_event" && any(censoring)) not_covered("censoring at an intercurrent event")
  all <- c(names$event, names$competing)
  size <- length(study$ids)
  best <- first_of(study, all, failures, origin, endpoint, late = endpoint$kind == "state_at_horizon")
  # an event before the clock starts is one on its first day, or a wrong date of a patient alive then, where a scenario says so
  as_event <- best$early & member_of_any(study, endpoint$early_event)
  free <- best$early & !as_event & member_of_any(study, endpoint$early_free)
  early <- best$early & !as_event & !free
  event <- ifelse(as_event, best$early_event, best$event); best <- ifelse(as_event, origin$low, best$day)
  # without an assessment from the origin on the time under observation is 0
  end <- first_possible(study$milestones[[names$censor]], origin)
  if (names$censor != "last_alive") end <- pmax(end, origin$low)
  end[free] <- pmax(end, origin$low, na.rm = TRUE)[free]
  limit <- if (is.null(endpoint$horizon)) rep(Inf, size) else origin$low + endpoint$horizon
  happened <- is.finite(best) & best <= limit
  day <- ifelse(happened, best, pmin(end, limit))
  competing <- match(event, names$competing)
  exact <- !is.na(origin$low) & origin$low == origin$high
  table <- data.frame(
    USUBJID = study$ids, STARTDT = ifelse(exact, origin$low, NA), ADT = ifelse(is.na(origin$low), NA, day),
    AVAL = ifelse(exact, day - origin$low, NA),
    CNSR = ifelse(!happened, 1, ifelse(event %in% names$event, 0, 1 + competing)), EVENT = ifelse(happened, event, NA))
  lost <- !is.na(table$CNSR) & table$CNSR == 1 & is.finite(limit) & !is.na(day) & day < limit
  as_event <- lost & member_of_any(study, endpoint$lost_event); as_free <- lost & member_of_any(study, endpoint$lost_free)
  table$CNSR[as_event] <- 0; table$EVENT[as_event] <- "lost_before_horizon"
  table$ADT[as_free] <- limit[as_free]; table$AVAL[as_free] <- (limit - origin$low)[as_free]
  # an end before the origin is an error of the data that no rule can mend
  wrong <- early | (!is.na(table$AVAL) & table$AVAL < 0)
  table$AVAL[wrong] <- NA; table$ADT[is.na(table$AVAL)] <- NA
  table$CNSR[is.na(table$AVAL)] <- NA; table$EVENT[is.na(table$AVAL)] <- NA
  study$cache[[key]] <- table
  table
}

analysed_times <- function(analysis) {
  study <- analysis$study
  kind <- analysis$outcome$endpoint$kind
  table <- if (kind %in% c("time_to_event", "state_at_horizon")) time_to_event(study, analysis$outcome) else
    other_times(analysis)
  shown <- table
  shown$STARTDT <- day_text(shown$STARTDT); shown$ADT <- day_text(shown$ADT)
  key <- paste("adtte", analysis$outcome$paramcd, analysis$scenario)
  if (is.null(study$cache[[key]]) && kind %in% c("time_to_event", "state_at_horizon")) {
    keep_derived(study, "adtte", cbind(PARAMCD = analysis$outcome$paramcd, SCENARIO = analysis$scenario, shown))
    study$cache[[key]] <- TRUE
  }
  table <- table[table$USUBJID %in% analysis$subjects$USUBJID, , drop = FALSE]
  cbind(table, analysis$subjects[match(table$USUBJID, analysis$subjects$USUBJID),
                                 setdiff(names(analysis$subjects), names(table)), drop = FALSE])
}

counts <- function(analysis, group, part) {
  emit(analysis, list(group = group), n = sum(!is.na(part$AVAL)), missing = sum(is.na(part$AVAL)),
       censored = sum(part$CNSR[!is.na(part$AVAL)] == 1))
}

KINDS$kaplan_meier <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_times(analysis)
  parts <- if (is.null(spec$landmark)) groups(analysis) else landmark_groups(analysis, table)
  for (group in names(parts)) {
    part <- table[table$USUBJID %in% parts[[group]], , drop = FALSE]
    counts(analysis, group, part)
    part <- part[!is.na(part$AVAL), , drop = FALSE]
    status <- as.numeric(part$CNSR == 0)
    emit(analysis, list(group = group), events = sum(status))
    if (!nrow(part)) next
    fit <- survfit(Surv(part$AVAL, status) ~ 1, conf.type = spec$conf_type, conf.int = spec$conf_level)
    times <- unlist(spec$at)
    survival_at(analysis, group, fit, part$AVAL, status, times)
    for (p in unlist(spec$quantiles)) {
      q <- quantile(fit, p)
      if (p == .5) emit(analysis, list(group = group, term = "Median"), median = q$quantile, lower = q$lower, upper = q$upper)
      else emit(analysis, list(group = group, term = paste("Quantile", 100 * p, "%")), quantile = q$quantile,
                lower = q$lower, upper = q$upper)
    }
    if (!is.null(spec$rmst)) restricted_mean(analysis, group, fit, part$AVAL, spec)
    if (isTRUE(spec$follow_up)) {
      reverse <- quantile(survfit(Surv(part$AVAL, 1 - status) ~ 1, conf.type = "log-log", conf.int = spec$conf_level), .5)
      emit(analysis, list(group = group, term = "Median follow-up"), median = reverse$quantile, lower = reverse$lower,
           upper = reverse$upper)
    }
    curve <- analysis; curve$name <- paste0(analysis$name, "~curve")
    emit(curve, list(group = group, time = fit$time), survival = fit$surv, lower = limit_at_one(fit$lower, fit$surv),
         upper = limit_at_one(fit$upper, fit$surv), n_risk = fit$n.risk, n_event = fit$n.event, n_censor = fit$n.censor)
  }
}

# while nobody has failed the survival is 1 and so are its limits
limit_at_one <- function(limit, survival) ifelse(survival == 1, 1, limit)

survival_at <- function(analysis, group, fit, time, status, times) {
  s <- summary(fit, times = times, extend = TRUE)
  # nobody is under observation after the last time unless all have failed
  known <- times <= max(time) | s$surv == 0
  hide <- function(x) ifelse(known, x, NA)
  emit(analysis, list(group = group, time = times), survival = hide(s$surv),
       std_err = hide(ifelse(s$surv %in% c(0, 1), 0, s$std.err)),
       lower = hide(limit_at_one(s$lower, s$surv)), upper = hide(limit_at_one(s$upper, s$surv)),
       n_risk = vapply(times, function(t) sum(time >= t), 0),
       cum_events = vapply(times, function(t) sum(status[time <= t]), 0))
}

restricted_mean <- function(analysis, group, fit, time, spec) {
  row <- summary(fit, rmean = spec$rmst)$table
  mean <- unname(row[["rmean"]]); error <- unname(row[["se(rmean)"]])
  z <- stats::qnorm((1 + spec$conf_level) / 2)
  emit(analysis, list(group = group, term = "Restricted mean", time = spec$rmst), rmst = mean, std_err = error,
       lower = mean - z * error, upper = mean + z * error)
}

# "a", "a and b", "a, b and c"
enumerated <- function(words) {
  if (length(words) < 2) return(paste(words))
  paste(paste(utils::head(words, -1), collapse = ", "), "and", utils::tail(words, 1))
}

# patients still at risk after the landmark by the exposure reached until then; times stay those from the origin
landmark_groups <- function(analysis, table) {
  landmark <- analysis$spec$landmark
  table <- table[!is.na(table$AVAL) & table$AVAL > landmark$at, , drop = FALSE]
  when <- milestone_time(analysis$study, landmark$exposure, table)
  reached <- !is.na(when) & when <= landmark$at
  stats::setNames(list(table$USUBJID[reached], table$USUBJID[!reached]), c(landmark$label, landmark$other))
}

KINDS$logrank <- function(analysis) {
  table <- analysed_times(analysis)
  parts <- if (is.null(analysis$spec$landmark)) groups(analysis) else landmark_groups(analysis, table)
  levels <- setdiff(names(parts), "Overall")
  strata <- texts(analysis$spec$strata)
  table$group <- rep(names(parts), lengths(parts))[match(table$USUBJID, unlist(parts[levels]))]
  table <- table[!is.na(table$AVAL) & stats::complete.cases(table[c("group", strata)]), , drop = FALSE]
  by <- factor(table$group, levels)
  status <- as.numeric(table$CNSR == 0)
  words <- vapply(strata, function(name) label_of(analysis$study, name), "")
  label <- paste(c("Log-rank test", if (length(strata)) c("stratified by", enumerated(words))), collapse = " ")
  test <- if (length(strata)) {
    stratum <- interaction(table[strata], drop = TRUE)
    survdiff(Surv(table$AVAL, status) ~ by + strata(stratum), rho = analysis$spec$rho %or% 0)
  } else survdiff(Surv(table$AVAL, status) ~ by, rho = analysis$spec$rho %or% 0)
  expected <- if (is.matrix(test$exp)) rowSums(test$exp) else test$exp
  for (i in seq_along(levels)) {
    emit(analysis, list(group = levels[i]), n = sum(by == levels[i], na.rm = TRUE),
         events = sum(status[by %in% levels[i]]), expected = expected[i])
  }
  emit(analysis, list(group = "Overall", term = label), chi_square = test$chisq,
       p = stats::pchisq(test$chisq, length(levels) - 1, lower.tail = FALSE))
  against <- analysis$spec$compare_with
  if (is.null(against)) return(invisible())
  # each level against one of them, the others left out
  for (level in setdiff(levels, against)) {
    pair <- by %in% c(level, against)
    times <- Surv(table$AVAL[pair], status[pair]); arm <- factor(table$group[pair])
    two <- if (length(strata)) {
      stratum <- interaction(table[pair, strata, drop = FALSE], drop = TRUE)
      survdiff(times ~ arm + strata(stratum), rho = analysis$spec$rho %or% 0)
    } else survdiff(times ~ arm, rho = analysis$spec$rho %or% 0)
    emit(analysis, list(group = level, comparator = against, term = label), chi_square = two$chisq,
         p = stats::pchisq(two$chisq, 1, lower.tail = FALSE))
  }
}

# ---- regression -------------------------------------------------------------------------------------------

PRECISE <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 100)

# list(matrix, term, category) of model columns; factors against their first level
model_columns <- function(study, table, terms, reference = list()) {
  columns <- list(); term <- character(0); category <- character(0)
  for (name in terms) {
    value <- table[[name]]
    if (is.numeric(value)) {
      columns <- c(columns, list(value)); term <- c(term, name); category <- c(category, NA)
    } else {
      levels <- level_order(study, name); levels <- levels[levels %in% value]
      if (!is.null(reference[[name]])) levels <- c(reference[[name]], setdiff(levels, reference[[name]]))
      for (level in levels[-1]) {
        columns <- c(columns, list(ifelse(is.na(value), NA, as.numeric(value == level))))
        term <- c(term, name); category <- c(category, paste(level, "vs", levels[1]))
      }
    }
  }
  list(matrix = do.call(cbind, columns), term = term, category = category)
}

coefficients_of <- function(analysis, design, coef, error) {
  z <- stats::qnorm((1 + analysis$spec$conf_level) / 2)
  for (i in seq_along(coef)) {
    emit(analysis, list(group = "Overall", term = design$term[i], category = design$category[i]),
         coef = coef[i], std_err = error[i], hr = exp(coef[i]), lower = exp(coef[i] - z * error[i]),
         upper = exp(coef[i] + z * error[i]), z = coef[i] / error[i], p = 2 * stats::pnorm(-abs(coef[i] / error[i])))
  }
}

KINDS$cox <- function(analysis) {
  spec <- analysis$spec; study <- analysis$study
  table <- analysed_times(analysis)
  table <- table[!is.na(table$AVAL), , drop = FALSE]
  table$start <- 0; table$stop <- table$AVAL; table$status <- as.numeric(table$CNSR == 0)
  terms <- texts(spec$terms)
  if (!is.null(spec$landmark)) {
    table <- table[table$AVAL > spec$landmark$at, , drop = FALSE]
    table$start <- spec$landmark$at
    when <- milestone_time(study, spec$landmark$exposure, table)
    table[[spec$landmark$name]] <- as.numeric(!is.na(when) & when <= spec$landmark$at)
    terms <- c(terms, spec$landmark$name)
  }
  complete <- stats::complete.cases(table[c(terms, texts(spec$strata))])
  table <- table[complete, , drop = FALSE]
  # whoever leaves on day 0 is at no time at risk in a model that splits time
  if (length(spec$time_dependent)) table <- table[table$stop > table$start, , drop = FALSE]
  patients <- nrow(table)
  for (exposure in spec$time_dependent) {
    table <- split_at(table, exposure$name, milestone_time(study, exposure$milestone, table), exposure$switches)
    terms <- c(terms, exposure$name)
  }
  design <- model_columns(study, table, terms, spec$reference)
  x <- design$matrix
  stratum <- if (length(spec$strata)) interaction(table[texts(spec$strata)], drop = TRUE) else rep(1, nrow(table))
  y <- if (all(table$start == 0)) Surv(table$stop, table$status) else Surv(table$start, table$stop, table$status)
  infinite <- integer(0)
  fit <- withCallingHandlers(coxph(y ~ x + strata(stratum), ties = spec$ties, control = PRECISE), warning = function(condition) {
    text <- conditionMessage(condition)
    if (grepl("beta may be infinite", text)) {
      infinite <<- as.integer(strsplit(gsub("^.*variable *| *;.*$", "", text), " *, *")[[1]])
      invokeRestart("muffleWarning")
    }
  })
  # a coefficient without a maximum has no estimate; the others stand at the limit of the likelihood
  fit$coefficients[infinite] <- NA
  error <- sqrt(diag(stats::vcov(fit))); error[infinite] <- NA
  coefficients_of(analysis, design, unname(stats::coef(fit)), error)
  emit(analysis, list(group = "Overall", term = "Model"), n = patients, events = sum(table$status),
       loglik = fit$loglik[2], loglik_null = fit$loglik[1])
  ratio <- 2 * (fit$loglik[2] - fit$loglik[1])
  emit(analysis, list(group = "Overall", term = "Likelihood ratio test"), chi_square = ratio,
       p = stats::pchisq(ratio, ncol(x), lower.tail = FALSE))
  if (isTRUE(spec$proportional_hazards) && !length(infinite)) {
    # an own column per coefficient, so that each has its test
    frame <- as.data.frame(x); names(frame) <- paste0("x", seq_len(ncol(x)))
    formula <- stats::as.formula(paste("y ~", paste(names(frame), collapse = " + "), "+ strata(stratum)"))
    single <- coxph(formula, data = frame, ties = spec$ties, control = PRECISE)
    test <- cox.zph(single, transform = "km", terms = FALSE)$table
    words <- vapply(design$term, function(name) label_of(study, name), "")
    label <- c(ifelse(is.na(design$category), words, paste(words, design$category)), "All terms")
    emit(analysis, list(group = "Overall", term = "Proportional hazards", category = label),
         chi_square = test[, "chisq"], p = test[, "p"])
  }
}

# elapsed days from each patient's own start to a milestone, from the day on which it is certain
milestone_time <- function(study, id, table) {
  study$milestones[[id]]$high[match(table$USUBJID, study$ids)] - table$STARTDT
}

# one row before the exposure and one from it on; exposed from the day after, or on the day itself
split_at <- function(table, name, when, switches) {
  change <- if (switches == "after") when else when - .5
  later <- !is.na(change) & change > table$start & change < table$stop
  exposed <- !is.na(change) & change <= table$start
  before <- table; before[[name]] <- as.numeric(exposed)
  before$stop[later] <- change[later]; before$status[later] <- 0
  after <- table[later, , drop = FALSE]; after$start <- change[later]; after[[name]] <- rep(1, sum(later))
  rbind(before, after)
}

KINDS$fine_gray <- function(analysis) {
  table <- analysed_times(analysis)
  table <- table[!is.na(table$AVAL) & stats::complete.cases(table[texts(analysis$spec$terms)]), , drop = FALSE]
  design <- model_columns(analysis$study, table, texts(analysis$spec$terms), analysis$spec$reference)
  code <- ifelse(table$CNSR == 1, 0, ifelse(table$CNSR == 0, 1, 2))
  # estimates rest on the order of times alone; cmprsk averages the weights where somebody is censored at time 0
  fit <- crr(table$AVAL + 1, code, design$matrix, gtol = 1e-10, maxiter = 50)
  coefficients_of(analysis, design, unname(fit$coef), sqrt(diag(fit$var)))
  emit(analysis, list(group = "Overall", term = "Model"), n = nrow(table), events = sum(code == 1), loglik = fit$loglik)
}

# times of endpoints that live in a dataset of their own kind
other_times <- function(analysis) {
  times <- TIMES[[analysis$outcome$endpoint$kind]]
  if (is.null(times)) not_covered("endpoint kind ", analysis$outcome$endpoint$kind)
  times(analysis)
}
