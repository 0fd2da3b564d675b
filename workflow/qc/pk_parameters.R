# Pharmacokinetic parameters of a dose with enough samples before the next one: non-compartmental analysis by hand, the
# terminal slope by lm. Hours since the dose; litres; concentrations below their limit are 0.

VALUES$pk_parameters <- function(study, id) {
  key <- paste("pk", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  spec <- find_dataset(study, id)
  doses <- pk_doses(study, spec$doses); samples <- pk_samples(study, spec)
  profiles <- list()
  for (patient in sort(unique(doses$USUBJID))) {
    own <- doses[doses$USUBJID == patient, , drop = FALSE]
    moments <- unique(own[c("at", "timed")])
    for (i in seq_len(nrow(moments))) {
      profile <- pk_profile(spec, own, moments[i, ], samples[samples$USUBJID == patient, , drop = FALSE])
      if (sum(profile$time > 0) >= spec$samples) profiles[[length(profiles) + 1]] <- c(list(USUBJID = patient), profile)
    }
  }
  study$cache[[key]] <- pk_rows(study, spec, profiles)
  study$cache[[key]]
}

known_day <- function(table, variable) {
  names <- companions(variable)
  day <- days(table[[names$low]])
  ifelse(!is.na(day) & day == days(table[[names$high]]), day, NA)
}

clock_hours <- function(table, variable) known_day(table, variable) * 24 + minutes(table[[companions(variable)$time]]) / 60

# doses on known days; one without a clock time stands at the start of its day
pk_doses <- function(study, spec) {
  table <- matching(clean(study, spec$domain), spec$where)
  end <- if (is.null(spec$end)) rep(NA_real_, nrow(table)) else clock_hours(table, spec$end)
  column <- function(name) if (name %in% names(table)) table[[name]] else rep(NA_character_, nrow(table))
  at <- clock_hours(table, spec$date); day <- known_day(table, spec$date)
  found <- data.frame(USUBJID = table$USUBJID, at = ifelse(is.na(at), day * 24, at), timed = !is.na(at), day = day, end = end,
                      amount = number(column(spec$dose)), unit = column(spec$unit))
  found <- found[!is.na(found$day) & !(found$amount %in% 0) & !(column(paste0(prefix(spec$domain), "STAT")) %in% "NOT DONE"), , drop = FALSE]
  found[order(found$at, found$timed), , drop = FALSE]
}

pk_samples <- function(study, spec) {
  table <- matching(clean(study, spec$domain), spec$where)
  p <- prefix(spec$domain)
  table <- table[!(table[[paste0(p, "STAT")]] %in% "NOT DONE"), , drop = FALSE]
  side <- table[[paste0(p, "CENS")]]
  value <- number(table[[paste0(p, "STRESN")]])
  value[side %in% "left"] <- 0
  planned <- if (is.null(spec$planned_hours)) rep(NA_real_, nrow(table)) else number(table[[spec$planned_hours]])
  found <- data.frame(USUBJID = table$USUBJID, at = clock_hours(table, paste0(p, "DTC")), day = known_day(table, paste0(p, "DTC")),
                      planned = planned, value = value, above = side %in% "right", unit = table[[paste0(p, "STRESU")]])
  found <- found[!is.na(found$value) | found$above, , drop = FALSE]
  found[order(found$at), , drop = FALSE]
}

# one dose: hours, values and what is known of it
pk_profile <- function(spec, own, key, samples) {
  now <- own[own$at == key$at & own$timed == key$timed, , drop = FALSE]
  earlier <- own[own$at < key$at | (own$at == key$at & own$timed < key$timed), , drop = FALSE]
  time <- round((samples$at - key$at) * 3600) / 3600
  used <- integer(0)
  if (key$timed) {
    next_dose <- ifelse(own$timed, ifelse(own$at > key$at, own$at, Inf), ifelse(own$day >= now$day[1], pmax(own$at, key$at), Inf))
    last <- min(min(next_dose) - key$at, spec$until_hours %or% Inf)
    early <- utils::tail(which(!is.na(time) & time < 0 & time >= -spec$predose_hours), 1)
    used <- c(early, which(!is.na(time) & time >= 0 & time <= last + 1e-9))
  }
  planned <- which(vapply(seq_len(nrow(samples)), function(i) leads_to(own, key, now$day[1], samples[i, ]), NA))
  planned <- planned[samples$planned[planned] <= (spec$until_hours %or% Inf)]
  time[planned] <- samples$planned[planned]
  used <- c(used, planned)
  used <- used[order(time[used])]
  amount <- if (length(unique(now$unit)) == 1 && !anyNA(now$amount)) sum(now$amount) else NA_real_
  length <- if (key$timed && isTRUE(now$end[1] > key$at)) now$end[1] - key$at else spec$duration_hours %or% NA_real_
  since <- if (nrow(earlier)) utils::tail(earlier$at + ifelse(earlier$timed, 0, 24), 1) else -Inf
  washed <- !nrow(earlier) || (!is.null(spec$washout_hours) && key$at - since >= spec$washout_hours)
  list(at = key$at, timed = key$timed, amount = amount, dose_unit = now$unit[1], infusion = length, first = washed, time = time[used],
       value = samples$value[used], above = any(samples$above[used]), unit = unique(samples$unit[used]))
}

# whether the planned hours of a sample lead to this dose, the only one of its day: asked where a clock time is missing
leads_to <- function(own, key, day, sample) {
  if (is.na(sample$planned) || sample$planned < 0 || is.na(sample$day) || (!is.na(sample$at) && key$timed)) return(FALSE)
  latest <- sample$day - floor(sample$planned / 24)
  if (!any(own$day <= latest)) return(FALSE)
  last <- max(own$day[own$day <= latest])
  nrow(unique(own[own$day == last, c("at", "timed")])) == 1 && latest - last <= 1 && last == day
}

# the visits of the profiles, one analysed per patient and visit, and its parameters
pk_rows <- function(study, spec, profiles) {
  empty <- data.frame(USUBJID = character(0), PARAMCD = character(0), AVAL = numeric(0), AVALC = character(0),
                      CENS = character(0), LLOQ = numeric(0), ULOQ = numeric(0), AVISIT = character(0), unit = character(0))
  if (!length(profiles)) return(empty)
  at <- vapply(profiles, function(p) p$at, 0)
  records <- data.frame(USUBJID = vapply(profiles, function(p) p$USUBJID, ""), PARAMCD = "profile", place = seq_along(profiles),
                        day = floor(at / 24), clock = ifelse(vapply(profiles, function(p) p$timed, NA), round((at %% 24) * 60), NA))
  placed <- assign_visits(study, records, find_visits(study, spec$visits))
  parts <- lapply(seq_len(nrow(placed)), function(i) {
    profile <- profiles[[placed$place[i]]]
    kind <- if (placed$AVISIT[i] %in% texts(spec$steady_state)) "steady" else if (profile$first) "single" else "between"
    value <- pk_values(study, spec, profile, kind)
    if (!length(value)) return(empty)
    cbind(data.frame(USUBJID = profile$USUBJID, PARAMCD = names(value), AVAL = unname(value), AVALC = NA_character_),
          data.frame(CENS = "none", LLOQ = NA_real_, ULOQ = NA_real_, AVISIT = placed$AVISIT[i], unit = NA_character_))
  })
  do.call(rbind, c(list(empty), parts))
}

# codes of the route and kind of dose that the dataset asks for
pk_codes <- function(study, spec, kind) {
  wanted <- list(single = c("single", "any"), steady = c("steady", "any"), between = "any")[[kind]]
  if (!is.null(spec$tau_hours)) wanted <- c(wanted, "tau")
  codes <- character(0)
  for (entry in study$reference("pk_parameters")) {
    routes <- strsplit(entry$route, "|", fixed = TRUE)[[1]]
    if (entry$dosing %in% wanted && any(c("any", spec$route) %in% routes)) codes <- c(codes, entry$code)
  }
  codes <- c(setdiff(codes, "AUCINT"), paste0(rep("AUCINT", length(spec$intervals)), seq_along(spec$intervals)))
  if (length(spec$parameters)) intersect(texts(spec$parameters), codes) else codes
}

pk_values <- function(study, spec, profile, kind) {
  codes <- pk_codes(study, spec, kind)
  nothing <- stats::setNames(rep(NA_real_, length(codes)), codes)
  unsound <- profile$above || length(profile$unit) != 1 || anyDuplicated(profile$time) || any(profile$value < 0) ||
    (spec$route == "infusion" && is.na(profile$infusion)) || isTRUE(profile$amount < 0)
  if (unsound) return(nothing)
  found <- nca(spec, profile, kind)
  litres <- pk_litres(profile$unit, profile$dose_unit)
  scaled <- grepl("^(CLF?[OP]|CLF?TAU|VZF?[OP]|VZF?TAU|VSS[OP])$", names(found))
  found[scaled] <- found[scaled] * litres
  nothing[intersect(codes, names(found))] <- found[intersect(codes, names(found))]
  nothing[!is.finite(nothing)] <- NA_real_
  nothing
}

# dose over (hours x concentration) in litres per hour
pk_litres <- function(unit, dose) {
  mass <- c(kg = 1e6, g = 1e3, mg = 1, ug = 1e-3, ng = 1e-6, pg = 1e-9)
  moles <- c(mol = 1e6, mmol = 1e3, umol = 1, nmol = 1e-3, pmol = 1e-6)
  volume <- c(L = 1, dL = .1, mL = 1e-3, uL = 1e-6)
  if (is.na(dose) || is.na(unit)) return(1)
  given <- strsplit(dose, "/", fixed = TRUE)[[1]][1]; part <- strsplit(unit, "/", fixed = TRUE)[[1]]
  for (scale in list(mass, moles)) if (length(part) == 2 && all(c(given, part[1]) %in% names(scale)) && part[2] %in% names(volume)) {
    return(unname(scale[given] / scale[part[1]] * volume[part[2]]))
  }
  1
}

# ---- one profile --------------------------------------------------------------------------------------------

# what stands for a value below its limit: it is kept as 0, left out, or a number
below_rules <- function(time, value, rules) {
  if (!length(value)) return(list(time = time, value = value, seen = value, at = time))
  if (!is.null(rules$consecutive) && any(value > 0)) {
    peak <- time[which.max(value)]; run <- 0
    for (i in seq_along(value)) {
      run <- if (value[i] == 0 && time[i] > peak) run + 1 else 0
      if (run == rules$consecutive) { time <- time[1:i]; value <- value[1:i]; break }
    }
  }
  positive <- which(value > 0)
  place <- ifelse(seq_along(value) < min(positive, Inf) | !length(positive), "first",
                  ifelse(seq_along(value) > max(positive, -Inf), "last", "middle"))
  if (!is.null(rules$before_tmax)) {
    peak <- if (length(positive)) time[which.max(value)] else Inf
    place <- ifelse(time < peak, "before_tmax", "after_tmax")
  }
  used <- value
  keep <- rep(TRUE, length(value))
  for (i in which(value == 0)) {
    rule <- rules[[place[i]]]
    if (identical(rule, "drop")) keep[i] <- FALSE else if (is.numeric(rule)) used[i] <- rule
  }
  list(time = time[keep], value = used[keep], seen = value, at = time)
}

# which steps are logarithmic
falls_by_log <- function(time, value, method) {
  n <- length(value)
  if (n < 2) return(logical(0))
  a <- value[-n]; b <- value[-1]
  able <- a > 0 & b > 0 & a != b
  peak <- if (any(value > 0)) time[which.max(value)] else Inf
  switch(method, linear = able & FALSE, "linear-up log-down" = able & b < a, "linear-log" = able & time[-1] > peak, log = able)
}

# integral of the curve, or of time x curve, over one step cut at `from` and `to`
step_integral <- function(t1, t2, c1, c2, log, from = t1, to = t2, moment = FALSE) {
  at <- function(t) if (log) c1 * exp(log(c2 / c1) * (t - t1) / (t2 - t1)) else c1 + (c2 - c1) * (t - t1) / (t2 - t1)
  a <- at(from); b <- at(to); h <- to - from
  if (!log) return(if (moment) h * (from * a + to * b) / 2 else h * (a + b) / 2)
  k <- log(c1 / c2) / (t2 - t1)
  if (moment) (from * a - to * b) / k + (a - b) / k^2 else (a - b) / k
}

curve_integral <- function(time, value, method, from, to, until, moment = FALSE) {
  log <- falls_by_log(time, value, method)
  total <- 0
  for (i in seq_len(until - 1)) {
    low <- max(from, time[i]); high <- min(to, time[i + 1])
    if (low < high) total <- total + step_integral(time[i], time[i + 1], value[i], value[i + 1], log[i], low, high, moment)
  }
  total
}

# slope of the last points: greatest adjusted R squared, of those near it the one with most points
last_slope <- function(time, value, peak, rule, after) {
  none <- list(k = NA_real_, n = 0)
  keep <- value > 0 & (if (isTRUE(rule$allow_tmax)) time >= peak else time > peak) & time > after
  keep[is.na(keep)] <- FALSE
  t <- time[keep]; y <- log(value[keep])
  if (length(t) < rule$min_points) return(none)
  fits <- lapply(seq_len(length(t) - rule$min_points + 1), function(i) {
    x <- t[i:length(t)]; z <- y[i:length(t)]
    if (max(z) == min(z)) return(NULL)
    fit <- stats::lm(z ~ x)
    left <- sum(stats::resid(fit)^2) / sum((z - mean(z))^2)
    list(k = -unname(stats::coef(fit)[2]), b = unname(stats::coef(fit)[1]), n = length(x), from = x[1], to = x[length(x)], r2 = 1 - left,
         adjusted = 1 - left * (length(x) - 1) / (length(x) - 2))
  })
  fits <- Filter(Negate(is.null), fits)
  if (!length(fits)) return(none)
  falling <- Filter(function(f) f$k * (f$to - f$from) > 1e-9, fits)
  among <- if (identical(rule$max_over, "falling")) falling else fits
  best <- max(vapply(among, function(f) f$adjusted, 0), -Inf)
  good <- Filter(function(f) f$adjusted > best - rule$tolerance, falling)
  if (!length(good)) return(none)
  good[[which.max(vapply(good, function(f) f$n, 0))]]
}

nca <- function(spec, profile, kind) {
  time <- profile$time; value <- profile$value
  bolus <- spec$route == "bolus"; infusion <- spec$route == "infusion"
  predose <- value[time < 0]
  # a sample shortly before the dose stands for its time, but not for what a bolus starts from
  if (!bolus && any(time < 0) && !any(time == 0)) time[time < 0] <- 0
  inside <- time >= 0
  p <- below_rules(time[inside], value[inside], spec$below)
  tau <- spec$tau_hours %or% NA_real_
  dose <- if (isTRUE(profile$amount > 0)) profile$amount else NA_real_
  duration <- if (infusion) profile$infusion else 0
  out <- pk_seen(p, kind, tau, spec)
  fit <- last_slope(p$time, p$value, out[["TMAX"]], spec$terminal, if (infusion) duration else -Inf)
  if (bolus) out["C0"] <- c_zero(p$at, p$seen)
  zeros <- length(p$seen) && !any(p$seen > 0)
  if (!zeros && length(p$time)) p <- pk_start(p, spec, kind, out, predose)
  t <- p$time; v <- p$value
  last <- if (any(v > 0)) max(which(v > 0)) else NA
  reach <- function(to) if (to == "all") min(last + 1, length(v)) else last
  whole <- !is.na(last) && length(v) > 1 && t[1] == 0
  area <- function(to = "last", moment = FALSE) {
    if (is.na(last) && length(v) > 1) return(0)
    if (!whole) return(NA_real_)
    curve_integral(t, v, spec$method, 0, Inf, reach(to), moment)
  }
  out["AUCLST"] <- area(); out["AUCALL"] <- area("all"); out["AUMCLST"] <- area(moment = TRUE)
  predicted <- if (fit$n && !is.na(last)) exp(fit$b - fit$k * t[last]) else NA_real_
  out["CLSTP"] <- predicted
  for (end in c("O", "P")) {
    from <- if (is.na(last)) 0 else if (end == "P") predicted else v[last]
    tlast <- if (is.na(last)) 0 else t[last]
    more <- if (is.na(last)) 0 else from / fit$k
    moment <- if (is.na(last)) 0 else from * tlast / fit$k + from / fit$k^2
    out[paste0("AUCIF", end)] <- out["AUCLST"] + more; out[paste0("AUMCIF", end)] <- out["AUMCLST"] + moment
    out[paste0("AUCPE", end)] <- 100 * more / out[paste0("AUCIF", end)]
    out[paste0("AUMCPE", end)] <- 100 * moment / out[paste0("AUMCIF", end)]
  }
  if (isTRUE(spec$terminal$strict) && fit$n) {
    bad <- fit$adjusted < spec$terminal$min_r2 || (fit$to - fit$from) * fit$k / log(2) < spec$terminal$min_span ||
      isTRUE(out[["AUCPEO"]] > spec$terminal$max_extrapolated)
    if (bad) { fit <- list(k = NA_real_, n = 0); out[grepl("^(AUM?CIF|AUM?CPE|CLSTP)", names(out))] <- NA_real_ }
  }
  if (bolus) {
    measured <- length(p$at) && p$at[1] == 0 && p$seen[1] > 0
    back <- if (!whole) NA_real_ else if (measured) 0 else curve_integral(t[1:2], v[1:2], spec$method, 0, Inf, 2)
    out["AUCPBEO"] <- 100 * back / out["AUCIFO"]; out["AUCPBEP"] <- 100 * back / out["AUCIFP"]
  }
  out["LAMZ"] <- fit$k
  if (fit$n) {
    out[c("LAMZHL", "LAMZLL", "LAMZUL", "LAMZNPT", "LAMZSPN", "R2", "R2ADJ", "CORRXY")] <-
      c(log(2) / fit$k, fit$from, fit$to, fit$n, (fit$to - fit$from) * fit$k / log(2), fit$r2, fit$adjusted, -sqrt(max(fit$r2, 0)))
  }
  partial <- function(from, to) {
    if (is.na(last)) return(if (length(v) > 1) 0 else NA_real_)
    if (from < t[1]) return(NA_real_)
    known <- curve_integral(t, v, spec$method, from, to, last)
    if (to <= t[last]) return(known)
    far <- v[last] / fit$k * (exp(-fit$k * max(from - t[last], 0)) - exp(-fit$k * (to - t[last])))
    known + far
  }
  for (i in seq_along(spec$intervals)) out[paste0("AUCINT", i)] <- partial(spec$intervals[[i]]$from_hours, spec$intervals[[i]]$to_hours)
  out <- pk_interval(out, p, tau, fit, partial, spec)
  pk_clearance(out, spec$route, kind, dose, duration, fit$k)
}

# read off the samples
pk_seen <- function(p, kind, tau, spec) {
  at <- p$at; seen <- p$seen
  within <- if (is.na(tau)) rep(TRUE, length(at)) else at <= tau
  early <- if (kind == "steady") within else rep(TRUE, length(at))
  top <- if (any(early)) max(seen[early]) else NA_real_
  positive <- which(seen > 0)
  out <- c(CMAX = top, TMAX = if (isTRUE(top > 0)) top_time(at[early], seen[early], spec) else NA_real_,
           CMIN = if (any(within)) min(seen[within]) else NA_real_,
           CLST = if (length(positive)) seen[max(positive)] else if (length(seen)) 0 else NA_real_,
           TLST = if (length(positive)) at[max(positive)] else NA_real_)
  if (spec$route == "extravascular") {
    out["TLAG"] <- if (!length(positive)) NA_real_ else if (positive[1] == 1) 0 else at[positive[1] - 1]
  }
  out
}

# of equal greatest concentrations the first, or the last
top_time <- function(at, seen, spec) {
  places <- which(seen == max(seen))
  at[if (isFALSE(spec$first_tmax)) max(places) else min(places)]
}

# concentration at the dose of a bolus: measured, by the line through the logs of the next two, or the next one
c_zero <- function(at, seen) {
  now <- seen[at == 0 & seen > 0]
  if (length(now)) return(now[1])
  t <- at[at > 0]; v <- seen[at > 0]
  if (!length(v)) return(NA_real_)
  if (length(v) > 1 && v[2] > 0 && v[2] < v[1]) return(exp(log(v[1]) + (log(v[1]) - log(v[2])) / (t[2] - t[1]) * t[1]))
  v[1]
}

# the value at the dose, where none was measured
pk_start <- function(p, spec, kind, out, predose) {
  usual <- if (spec$route == "bolus") "c0" else c(single = "zero", steady = "minimum", between = "required")[[kind]]
  rule <- spec$start %or% usual
  if (rule != "c0" && length(p$time) && p$time[1] == 0) return(p)
  value <- switch(rule, zero = 0, minimum = min(p$seen), predose = if (length(predose)) utils::tail(predose, 1) else NA_real_,
                  c0 = if ("C0" %in% names(out)) out[["C0"]] else NA_real_, required = NA_real_)
  if (is.na(value)) return(p)
  keep <- p$time > 0
  p$time <- c(0, p$time[keep]); p$value <- c(value, p$value[keep])
  p
}

pk_interval <- function(out, p, tau, fit, partial, spec) {
  if (is.na(tau)) return(out)
  out["AUCTAU"] <- partial(0, tau); out["CAVG"] <- out["AUCTAU"] / tau
  near <- abs(p$at - tau)
  out["CTROUGH"] <- if (length(near) && min(near) <= spec$trough_within_hours) p$seen[which.min(near)] else NA_real_
  inside <- p$seen[p$at <= tau]
  if (length(inside)) {
    out["FLUCP"] <- if (isTRUE(out[["CAVG"]] > 0)) 100 * (max(inside) - min(inside)) / out[["CAVG"]] else NA_real_
    out["SWING"] <- if (min(inside) > 0) 100 * (max(inside) - min(inside)) / min(inside) else NA_real_
  }
  out["AILAMZ"] <- 1 / (1 - exp(-fit$k * tau))
  out
}

pk_clearance <- function(out, route, kind, dose, duration, k) {
  for (code in c("CMAX", "AUCLST", "AUCIFO", "AUCIFP")) out[paste0(code, "D")] <- out[code] / dose
  residence <- c(extravascular = "MRTEV", bolus = "MRTIB", infusion = "MRTIC")[[route]]
  names <- if (route == "extravascular") c("CLF", "VZF") else c("CL", "VZ")
  out[paste0(residence, "LST")] <- out["AUMCLST"] / out["AUCLST"] - duration / 2
  if (kind == "steady") {
    out[paste0(names[1], "TAU")] <- dose / out["AUCTAU"]; out[paste0(names[2], "TAU")] <- dose / out["AUCTAU"] / k
    return(out)
  }
  for (end in c("O", "P")) {
    cleared <- dose / out[paste0("AUCIF", end)]
    stay <- out[paste0("AUMCIF", end)] / out[paste0("AUCIF", end)] - duration / 2
    out[paste0(residence, "IF", end)] <- stay
    out[paste0(names[1], end)] <- cleared; out[paste0(names[2], end)] <- cleared / k
    if (route != "extravascular") out[paste0("VSS", end)] <- cleared * stay
  }
  out
}
