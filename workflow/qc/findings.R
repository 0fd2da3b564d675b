# Findings: records of a parameter, the visit each belongs to, and the record analysed per visit (ruling 6).

find_dataset <- function(study, id) {
  for (dataset in study$protocol$datasets) if (dataset$id == id) return(dataset)
  NULL
}

find_visits <- function(study, id) {
  for (set in study$protocol$visit_sets) if (set$id == id) return(set)
  NULL
}

number <- function(text) suppressWarnings(as.numeric(text))

# all records of a findings dataset with a value: USUBJID, PARAMCD, AVAL, AVALC, CENS, LLOQ, ULOQ, day, clock
finding_records <- function(study, dataset) {
  table <- clean(study, dataset$domain)
  p <- prefix(dataset$domain)
  column <- function(name) if (paste0(p, name) %in% names(table)) table[[paste0(p, name)]] else rep(NA_character_, nrow(table))
  parts <- lapply(dataset$parameters, function(parameter) {
    keep <- table$row_id %in% matching(table, parameter$where)$row_id
    low <- days(column("DT_LO")); exact <- !is.na(low) & low == days(column("DT_HI"))
    text <- parameter$type == "text"
    part <- data.frame(
      row_id = table$row_id, USUBJID = table$USUBJID, PARAMCD = rep(parameter$code, nrow(table)),
      AVAL = if (text) rep(NA_real_, nrow(table)) else number(column("STRESN")), AVALC = column("STRESC"),
      CENS = ifelse(is.na(column("CENS")) | text, "none", column("CENS")), LLOQ = number(column("LLOQ")), ULOQ = number(column("ULOQ")),
      day = ifelse(exact, low, NA), clock = minutes(column("DT_TM")), text = rep(text, nrow(table)),
      previous = if ("previous_dose" %in% names(dataset)) dose_before(table, dataset) else rep(NA_real_, nrow(table)),
      recorded = if ("VISIT" %in% names(table)) table$VISIT else rep(NA_character_, nrow(table)),
      ULN = number(column("STNRHI")), unit = column("STRESU"))
    part[keep & !(column("STAT") %in% "NOT DONE"), , drop = FALSE]
  })
  part <- do.call(rbind, parts)
  part$present <- ifelse(part$text, !is.na(part$AVALC), !is.na(part$AVAL) | part$CENS %in% c("left", "right"))
  part
}

dose_before <- function(table, dataset) {
  names <- companions(dataset$previous_dose)
  day <- days(table[[names$low]]); exact <- !is.na(day) & day == days(table[[names$high]])
  ifelse(exact, day * 1440 + minutes(table[[names$time]]), NA)
}

# elapsed day, window and target of a visit, counted from its own anchor or the trial's origin
visit_frame <- function(study, visit) {
  anchored <- !is.null(visit$anchor)
  shift <- if (anchored) 0 else study$protocol$time$first_day
  list(origin = if (anchored) study$milestones[[visit$anchor]]$low else trial_origin(study), target = visit$day - shift,
       from = (unlist(visit$window)[1] %or% visit$day) - shift, to = (unlist(visit$window)[2] %or% visit$day) - shift,
       anchored = anchored)
}

# records with the visit they are analysed at: one row per patient, parameter and visit
analysed_findings <- function(study, id) {
  key <- paste("findings", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  records <- finding_records(study, dataset)
  records <- records[records$present & !is.na(records$day), , drop = FALSE]
  study$cache[[key]] <- assign_visits(study, records, find_visits(study, dataset$visits))
  study$cache[[key]]
}

assign_visits <- function(study, records, set) {
  if (!nrow(records)) return(cbind(records, AVISIT = character(0)))
  index <- match(records$USUBJID, study$ids)
  stop <- rep(Inf, nrow(records))
  for (milestone in texts(set$stop_before)) stop <- pmin(stop, study$milestones[[milestone]]$low[index], na.rm = TRUE)
  parts <- lapply(set$visits, function(visit) {
    frame <- visit_frame(study, visit)
    elapsed <- records$day - frame$origin[index]
    # a visit with recorded names goes by them and not by days
    inside <- if (length(visit$recorded)) records$recorded %in% texts(visit$recorded) else elapsed >= frame$from & elapsed <= frame$to
    keep <- !is.na(elapsed) & inside & (frame$anchored | records$day < stop)
    part <- cbind(records, AVISIT = rep(visit$label, nrow(records)), elapsed = elapsed)[keep, , drop = FALSE]
    part$distance <- if (visit$pick == "nearest") abs(part$elapsed - frame$target) else if (visit$pick == "last") -part$day else part$day
    # ties of the distance to the earlier; the last of a day where the last is wanted
    moment <- ifelse(is.na(part$clock), 0, part$clock)
    sign <- if (visit$pick == "last") -1 else 1
    part <- part[order(part$USUBJID, part$PARAMCD, part$distance, sign * part$day, sign * moment), , drop = FALSE]
    part[!duplicated(part[c("USUBJID", "PARAMCD")]), , drop = FALSE]
  })
  do.call(rbind, parts)
}

# rows of an analysis: population, parameters, visits
analysed_values <- function(analysis) {
  study <- analysis$study
  table <- dataset_values(study, analysis$dataset)
  table <- matching_values(study, analysis, table)
  table[table$USUBJID %in% analysis$subjects$USUBJID, , drop = FALSE]
}

# findings by visit of any dataset that has them
dataset_values <- function(study, id) {
  kind <- find_dataset(study, id)$kind
  values <- VALUES[[kind]]
  if (is.null(values)) not_covered("dataset kind ", kind)
  values(study, id)
}

matching_values <- function(study, analysis, table) {
  # a filter of the records comes before the choice of one per visit
  dataset <- find_dataset(study, analysis$dataset)
  if (length(analysis$spec$where) && !is.null(attr(table, "records"))) {
    records <- attr(table, "records")
    for (name in names(analysis$spec$where)) records <- records[records[[name]] %in% texts(analysis$spec$where[[name]]), , drop = FALSE]
    return(assign_visits(study, records, find_visits(study, dataset$visits)))
  }
  for (name in names(analysis$spec$where)) {
    table <- table[table[[name]] %in% texts(analysis$spec$where[[name]]), , drop = FALSE]
  }
  table
}

VALUES$findings <- function(study, id) analysed_findings(study, id)

parameters_of <- function(analysis) {
  named <- texts(analysis$spec$parameters)
  if (length(named)) return(named)
  dataset <- find_dataset(analysis$study, analysis$dataset)
  if (dataset$kind == "findings") vapply(dataset$parameters, function(p) p$code, "") else
    unique(dataset_values(analysis$study, analysis$dataset)$PARAMCD)
}

# patients of the population who are alive at the target day of a visit, among those the visit exists for
alive_at <- function(analysis, label) {
  study <- analysis$study
  dataset <- find_dataset(study, analysis$dataset)
  if (!"visits" %in% names(dataset)) return(NULL)
  set <- find_visits(study, dataset[["visits"]])
  for (visit in set$visits) if (visit$label == label) {
    frame <- visit_frame(study, visit)
    day <- frame$origin + frame$target
    death <- study$milestones$death
    if (is.null(death)) return(NULL)
    # a partial date of death is its first possible day, as in times to death
    return(study$ids[!is.na(day) & (!death$happened | (!is.na(death$low) & death$low > day))])
  }
  NULL
}

bound_of <- function(part) ifelse(part$CENS == "left", part$LLOQ, ifelse(part$CENS == "right", part$ULOQ, part$AVAL))

# SAS definition 5 of a distribution with cumulated probability: the step, or both where one is met exactly
step_places <- function(cumulated, p, near = 1e-9) {
  first <- which(cumulated >= p - near)[1]
  if (is.na(first)) first <- length(cumulated)
  if (abs(cumulated[first] - p) < near && first < length(cumulated) && p > 0) first + 0:1 else first
}

# values below and above limits in their order, if every limit is outside the range of the measured values: a percentile
# that falls on one of several limits is then its bound, which holds whatever the values are
ordered_by_limits <- function(part) {
  inside <- part$AVAL[part$CENS == "none"]
  below <- part$LLOQ[part$CENS == "left"]; above <- part$ULOQ[part$CENS == "right"]
  if (!length(inside)) return(!length(below) || !length(above) || max(below) <= min(above))
  all(below <= min(inside)) && all(above >= max(inside))
}

# quantiles of values with several limits: Turnbull's estimate (ruling 24), an interval standing for its closed end
turnbull_values <- function(part) {
  left <- part$CENS == "left"; right <- part$CENS == "right"
  # below a limit is less than it, above is more than it: a hair apart from a measured value that equals it
  low <- ifelse(left, -1, ifelse(right, part$ULOQ * (1 + 1e-12), part$AVAL))
  high <- ifelse(left, part$LLOQ * (1 - 1e-12), ifelse(right, Inf, part$AVAL))
  fit <- npmle(low, high)
  x <- ifelse(fit$left == fit$right, fit$right, ifelse(is.finite(fit$right), fit$right, fit$left))
  side <- ifelse(fit$left == fit$right, 0, ifelse(!is.finite(fit$right), 1, ifelse(fit$left < 0, -1, NA)))
  list(x = signif(ifelse(is.na(side), NA, x), 11), side = side, cumulated = cumsum(fit$p))
}

# mean of one or two steps, -1 below a limit, 1 above one, 0 measured; between one below and one above there is no bound
stepped <- function(x, side) {
  if (anyNA(x) || all(c(-1, 1) %in% side)) return(NA_real_)
  said(mean(x), if (-1 %in% side) "<" else if (1 %in% side) ">" else "=")
}

censored_quantile <- function(part, p) {
  n <- nrow(part); below <- part$CENS == "left"
  side <- ifelse(below, -1, ifelse(part$CENS == "right", 1, 0))
  bound <- bound_of(part)
  # at least half below: the limit itself (ruling 23), or the bound that holds whatever the values below are
  if (p == .5 && 2 * sum(below) >= n) {
    order <- order(bound, !below)
    middle <- order[ceiling(n / 2)]
    return(said(if (below[middle]) bound[middle] else mean(bound[order[step_places(seq_len(n) / n, p)]]), "<"))
  }
  if (ordered_by_limits(part)) {
    place <- order(side, bound)[step_places(seq_len(n) / n, p)]
    return(stepped(bound[place], side[place]))
  }
  # the quartiles beside a median that is known as below a bound: what holds whatever the values outside limits are
  if (p > 0 && p < 1 && 2 * sum(below) >= n) {
    least <- mean(sort(ifelse(below, -Inf, bound))[step_places(seq_len(n) / n, p)])
    most <- mean(sort(ifelse(side == 1, Inf, bound))[step_places(seq_len(n) / n, p)])
    if (is.infinite(most)) return(if (is.infinite(least)) NA_real_ else said(least, ">"))
    return(said(most, if (least < most) "<" else "="))
  }
  fit <- turnbull_values(part)
  place <- step_places(fit$cumulated, p, 1e-7)
  stepped(fit$x[place], fit$side[place])
}

KINDS$describe_by_visit <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_values(analysis)
  for (group in names(groups(analysis))) {
    members <- groups(analysis)[[group]]
    for (visit in texts(spec$visits)) for (parameter in parameters_of(analysis)) {
      part <- table[table$PARAMCD == parameter & table$AVISIT == visit & table$USUBJID %in% members, , drop = FALSE]
      part <- part[!is.na(part$AVAL) | part$CENS != "none", , drop = FALSE]
      if (isTRUE(spec$change)) part <- changes(analysis, table, part)
      where <- list(group = group, parameter = parameter, variable = if (isTRUE(spec$change)) "CHG" else "AVAL", visit = visit)
      alive <- alive_at(analysis, visit)
      if (!is.null(alive)) emit(analysis, where, alive = length(intersect(alive, members)))
      describe_censored(analysis, where, part, isTRUE(spec$geometric))
    }
  }
}

# change of each record from the baseline: the last record of a baseline visit up to the origin, else the first of one;
# only of later records, both measured in range
changes <- function(analysis, table, part) {
  set <- find_visits(analysis$study, find_dataset(analysis$study, analysis$dataset)[["visits"]])
  names <- vapply(Filter(function(visit) isTRUE(visit$baseline), set$visits), function(visit) visit$label, "")
  origin <- trial_origin(analysis$study)[match(table$USUBJID, analysis$study$ids)]
  moment <- function(rows) rows$day * 1440 + ifelse(is.na(rows$clock), 0, rows$clock)
  keep <- rep(FALSE, nrow(part))
  for (i in seq_len(nrow(part))) {
    own <- which(table$USUBJID == part$USUBJID[i] & table$PARAMCD == part$PARAMCD[i] & table$AVISIT %in% names)
    if (!length(own)) next
    early <- own[table$day[own] <= origin[own]]
    at <- moment(table[own, , drop = FALSE])
    base <- if (length(early)) early[which.max(moment(table[early, , drop = FALSE]))] else own[which.min(at)]
    measured <- table$CENS[base] == "none" && part$CENS[i] == "none"
    if (!measured || moment(part[i, , drop = FALSE]) <= moment(table[base, , drop = FALSE])) next
    part$AVAL[i] <- part$AVAL[i] - table$AVAL[base]
    keep[i] <- !is.na(part$AVAL[i])
  }
  part[keep, , drop = FALSE]
}

# `always`: the numbers outside the range also where there are none
describe_censored <- function(analysis, where, part, geometric = FALSE, always = TRUE) {
  n <- nrow(part); below <- sum(part$CENS == "left"); above <- sum(part$CENS == "right")
  emit(analysis, where, n = n)
  if (always || below + above) emit(analysis, where, n_below = below, n_above = above)
  if (!n) return(invisible())
  if (always) emit(analysis, where, percent_below = 100 * below / n)
  exact <- below + above == 0
  emit(analysis, where, median = censored_quantile(part, .5), q1 = censored_quantile(part, .25),
       q3 = censored_quantile(part, .75), min = censored_quantile(part, 0), max = censored_quantile(part, 1))
  emit(analysis, where, mean = if (exact) mean(part$AVAL) else NA, sd = if (exact && n > 1) stats::sd(part$AVAL) else NA)
  if (geometric) {
    possible <- exact && all(part$AVAL > 0)
    emit(analysis, where, geometric_mean = if (possible) exp(mean(log(part$AVAL))) else NA,
         geometric_cv = if (possible && n > 1) 100 * sqrt(exp(stats::var(log(part$AVAL))) - 1) else NA)
  }
}

# exact binomial interval
clopper <- function(x, n, level) {
  tail <- (1 - level) / 2
  list(lower = ifelse(x == 0, 0, stats::qbeta(tail, x, n - x + 1)), upper = ifelse(x == n, 1, stats::qbeta(1 - tail, x + 1, n - x)))
}

share <- function(analysis, where, n, denominator, level = NULL) {
  emit(analysis, where, n = n, denominator = denominator, percent = if (denominator) 100 * n / denominator else NA)
  if (!is.null(level)) {
    limits <- if (denominator) clopper(n, denominator, level) else list(lower = NA, upper = NA)
    emit(analysis, where, lower = 100 * limits$lower, upper = 100 * limits$upper)
  }
}

KINDS$categories_by_visit <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_values(analysis)
  for (group in names(groups(analysis))) for (visit in texts(spec$visits)) for (parameter in texts(spec$parameters)) {
    members <- groups(analysis)[[group]]
    part <- table[table$PARAMCD == parameter & table$AVISIT == visit & table$USUBJID %in% members, , drop = FALSE]
    part <- part[!is.na(part$AVALC), , drop = FALSE]
    where <- function(category) list(group = group, parameter = parameter, variable = "AVALC", visit = visit, category = category)
    # what was found beside the declared categories stands after them
    for (category in unique(c(texts(spec$categories), part$AVALC))) share(analysis, where(category), sum(part$AVALC == category), nrow(part), spec$conf_level)
    if (!isFALSE(spec$missing)) share(analysis, where("Missing"), length(members) - nrow(part), length(members))
  }
}

KINDS$in_bands <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_values(analysis)
  for (group in names(groups(analysis))) for (band in spec$bands) {
    part <- table[table$PARAMCD == spec$parameter & table$AVISIT == spec$visit &
                    table$USUBJID %in% groups(analysis)[[group]], , drop = FALSE]
    low <- band$low %or% -Inf; high <- band$high %or% Inf
    state <- rep(NA, nrow(part))
    exact <- part$CENS == "none"; left <- part$CENS == "left"; right <- part$CENS == "right"
    state[exact] <- (part$AVAL >= low & part$AVAL <= high)[exact]
    # below the limit: certain only if the whole interval [0, LLOQ) lies in the band or outside
    state[left] <- ifelse(low <= 0 & part$LLOQ <= high, TRUE, ifelse(part$LLOQ <= low, FALSE, NA))[left]
    state[right] <- ifelse(high == Inf & part$ULOQ >= low, TRUE, ifelse(part$ULOQ >= high, FALSE, NA))[right]
    where <- list(group = group, parameter = spec$parameter, variable = "AVAL", visit = spec$visit, category = band$id)
    share(analysis, where, sum(state, na.rm = TRUE), sum(!is.na(state)), spec$conf_level)
    emit(analysis, where, undetermined = sum(is.na(state)))
  }
}

# ---- paired change ----------------------------------------------------------------------------------------

bounds <- function(part) {
  list(low = ifelse(part$CENS == "left", 0, ifelse(part$CENS == "right", part$ULOQ, part$AVAL)),
       high = ifelse(part$CENS == "left", part$LLOQ, ifelse(part$CENS == "right", Inf, part$AVAL)))
}

KINDS$paired_change <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_values(analysis)
  for (group in names(groups(analysis))) for (visit in texts(spec$visit)) for (parameter in parameters_of(analysis)) {
    part <- table[table$PARAMCD == parameter & table$USUBJID %in% groups(analysis)[[group]], , drop = FALSE]
    before <- part[part$AVISIT == spec$base_visit, , drop = FALSE]
    after <- part[part$AVISIT == visit, , drop = FALSE]
    both <- sort(intersect(before$USUBJID, after$USUBJID))
    before <- before[match(both, before$USUBJID), , drop = FALSE]; after <- after[match(both, after$USUBJID), , drop = FALSE]
    paired(analysis, list(group = group, parameter = parameter, variable = "CHG", visit = visit, base_visit = spec$base_visit),
           before, after, positive = ratio_scale(table[table$PARAMCD == parameter, , drop = FALSE]))
  }
}

# ratios make sense of positive values, but not of degrees Celsius, whose zero is a convention
ratio_scale <- function(part) !any(part$AVAL <= 0, na.rm = TRUE) && !any(part$unit %in% "Cel")

# `positive`: the parameter has no value at or below 0, so that ratios make sense
paired <- function(analysis, where, before, after, positive) {
  b <- bounds(before); a <- bounds(after)
  censored <- before$CENS != "none" | after$CENS != "none"
  # an open end: below the limit is less than it, above is more than it
  up <- ifelse(censored, a$low >= b$high & a$low > 0, after$AVAL > before$AVAL)
  down <- ifelse(censored, a$high <= b$low, after$AVAL < before$AVAL)
  emit(analysis, where, n = nrow(before), n_up = sum(up), n_down = sum(down), n_tie = sum(!up & !down))
  if (!nrow(before)) return(invisible())
  # a size is a ratio where all values are positive, else a difference
  scale <- if (!positive) identity else function(x) log(pmax(x, 0))
  size <- ifelse(up, scale(a$low) - scale(b$high), ifelse(down, scale(b$low) - scale(a$high), 0))
  emit(analysis, where, p = signed_rank_p(ifelse(up, size, -size)))
  # a size of change needs both values in range
  from <- before$AVAL[!censored]; to <- after$AVAL[!censored]
  middle <- function(x) if (length(x)) unname(stats::quantile(x, .5, type = 2)) else NA
  emit(analysis, where, median_change = middle(to - from), median_ratio = if (positive) middle(to / from) else NA)
}

# Wilcoxon signed-rank, zeros ranked and then dropped (Pratt), exact over all signs given the ranks
signed_rank_p <- function(change) {
  rank <- rank(abs(signif(change, 12)))[change != 0]
  positive <- change[change != 0] > 0
  if (!length(rank)) return(NA)
  twice <- round(2 * rank)
  ways <- 1
  for (r in twice) ways <- c(ways, rep(0, r)) + c(rep(0, r), ways)
  ways <- ways / sum(ways)
  observed <- sum(twice[positive])
  total <- seq_along(ways) - 1
  min(1, 2 * min(sum(ways[total <= observed]), sum(ways[total >= observed])))
}
