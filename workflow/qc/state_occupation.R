# Probability of being in each state at times (Aalen and Johansen 1978). `survival` gives the estimate and the infinitesimal
# jackknife. Greenwood's variance (Andersen, Borgan, Gill and Keiding 1993, IV.4) is carried along the product: of the row p of
# probabilities, Cov(p (I + dA)) = (I + dA)' Cov(p) (I + dA) + sum over h of p_h^2 Cov(dA_h), where the moves out of h at one
# time are multinomial of the patients at risk in h. The shares at the origin are multinomial, too.

# one row per stay in a state: id, start, stop, from, to (NA where it ends by censoring). Times are from the origin; the stay
# a patient is in at the origin starts at -1, so that what happens on day 0 is seen.
state_stays <- function(analysis, table, names) {
  states <- analysis$spec$states
  entered <- lapply(states, function(state) milestone_time(analysis$study, state$milestone, table))
  stays <- lapply(seq_len(nrow(table)), function(i) {
    end <- table$AVAL[i]; event <- table$EVENT[i]
    day <- vapply(entered, function(days) days[i], 0)
    # a milestone on the day of the event that ends the time is not seen, one on the last day of observation is
    seen <- !is.na(day) & (day < end | (day == end & is.na(event)))
    rank <- order(day, seq_along(day))
    rank <- rank[seen[rank]]
    # of one day, and of all days before the origin, the last one counts
    rank <- rank[!duplicated(pmax(day[rank], -1), fromLast = TRUE)]
    first <- rank[day[rank] <= -1 | day[rank] == 0]
    from <- names[1]
    if (length(first)) from <- states[[first[length(first)]]]$label
    rank <- rank[day[rank] > 0]
    at <- c(-1, day[rank], end); place <- c(from, vapply(states[rank], function(state) state$label, ""))
    n <- length(place)
    to <- c(place[-1], event)
    rows <- data.frame(id = i, start = at[1:n], stop = at[1 + 1:n], from = place, to = to)
    rows[rows$start < rows$stop, , drop = FALSE]
  })
  do.call(rbind, stays)
}

# list(p, cov) at each time: probabilities of the states and their covariance by Greenwood's formula
occupation_greenwood <- function(stays, names, times) {
  size <- length(names)
  origin <- stays[stays$start == -1, , drop = FALSE]
  p <- as.numeric(table(factor(origin$from, names))) / nrow(origin)
  cov <- (diag(p, size) - outer(p, p)) / nrow(origin)
  moves <- stays[!is.na(stays$to), , drop = FALSE]
  steps <- sort(unique(moves$stop))
  out <- vector("list", length(times))
  for (k in seq_along(times)[times < min(steps, Inf)]) out[[k]] <- list(p = p, cov = cov)
  for (s in seq_along(steps)) {
    now <- steps[s]
    move <- diag(size); added <- matrix(0, size, size)
    for (h in seq_len(size)) {
      risk <- sum(stays$from == names[h] & stays$start < now & stays$stop >= now)
      if (!risk) next
      share <- as.numeric(table(factor(moves$to[moves$from == names[h] & moves$stop == now], names))) / risk
      share[h] <- 1 - sum(share)
      move[h, ] <- share
      added <- added + p[h]^2 * (diag(share, size) - outer(share, share)) / risk
    }
    p <- as.numeric(p %*% move)
    cov <- t(move) %*% cov %*% move + added
    last <- if (s < length(steps)) steps[s + 1] else Inf
    for (k in seq_along(times)[times >= now & times < last]) out[[k]] <- list(p = p, cov = cov)
  }
  out
}

# matrix of probabilities and standard errors by time and state from `survival`, which takes the shares at the origin as
# known: patients wait in one place until then, so that these are estimated, too
occupation_survfit <- function(stays, names, times) {
  first <- stays[stays$start == -1, , drop = FALSE]
  stays <- rbind(data.frame(id = first$id, start = -2, stop = -1, from = "(waiting)", to = first$from), stays)
  stays <- stays[order(stays$id, stays$start), , drop = FALSE]
  to <- factor(ifelse(is.na(stays$to), "(censored)", stays$to), c("(censored)", "(waiting)", names))
  from <- factor(stays$from, c("(waiting)", names))
  fit <- survfit(Surv(stays$start, stays$stop, to) ~ 1, id = stays$id, istate = from)
  known <- summary(fit, times = times, extend = TRUE)
  pick <- function(x) {
    x <- matrix(x, nrow = length(times), dimnames = list(NULL, fit$states))
    out <- matrix(0, length(times), length(names), dimnames = list(NULL, names))
    both <- intersect(names, fit$states)
    out[, both] <- x[, both]
    out
  }
  list(p = pick(known$pstate), error = pick(known$std.err))
}

occupation_limits <- function(p, error, level, type) {
  z <- stats::qnorm((1 + level) / 2)
  error <- ifelse(p %in% c(0, 1), 0, error)
  limits <- switch(type, plain = list(p - z * error, p + z * error), log = list(p * exp(-z * error / p), p * exp(z * error / p)),
                   list(p^exp(-z * error / (p * log(p))), p^exp(z * error / (p * log(p)))))
  # without a transform the limits of 0 and 1 are these; a logarithm of 0 has none
  inside <- switch(type, plain = !is.na(p), log = p > 0, p > 0 & p < 1)
  list(lower = ifelse(inside, pmax(pmin(limits[[1]], limits[[2]]), 0), NA), upper = ifelse(inside, pmin(pmax(limits[[1]], limits[[2]]), 1), NA))
}

KINDS$state_occupation <- function(analysis) {
  spec <- analysis$spec
  table <- analysed_times(analysis)
  everybody <- table
  table <- table[!is.na(table$AVAL), , drop = FALSE]
  events <- endpoint_events(analysis$outcome$endpoint)
  last <- c(events$event, events$competing)
  if (any(!is.na(table$EVENT) & !table$EVENT %in% last)) not_covered("states of an event the endpoint does not name")
  # the components of a composite are one event, hence one state; competing events have codes from 2 on
  last <- c(paste(events$event, collapse = "+"), events$competing)
  table$EVENT <- ifelse(table$CNSR == 1, NA, last[pmax(table$CNSR, 1)])
  names <- c(spec$start, vapply(spec$states, function(state) state$label, ""), last)
  times <- unlist(spec$at)
  parts <- groups(analysis)
  for (group in names(parts)) {
    own <- everybody$AVAL[everybody$USUBJID %in% parts[[group]]]
    emit(analysis, list(group = group), n = sum(!is.na(own)), missing = sum(is.na(own)))
    part <- table[table$USUBJID %in% parts[[group]], , drop = FALSE]
    if (!nrow(part)) next
    stays <- state_stays(analysis, part, names)
    found <- occupation_survfit(stays, names, times)
    error <- found$error
    if (spec$variance == "greenwood") {
      own <- occupation_greenwood(stays, names, times)
      # the product here and that of `survival` are one
      stopifnot(all(abs(do.call(rbind, lapply(own, function(at) at$p)) - found$p) < 1e-9))
      error <- do.call(rbind, lapply(own, function(at) sqrt(pmax(diag(at$cov), 0))))
    }
    end <- max(part$AVAL)
    known <- times <= end | all(!is.na(part$EVENT[part$AVAL == end]))
    for (j in seq_along(names)) {
      p <- ifelse(known, found$p[, j], NA)
      p[which(abs(p) < 1e-14)] <- 0
      p[which(abs(p - 1) < 1e-14)] <- 1
      limits <- occupation_limits(p, error[, j], spec$conf_level, spec$conf_type)
      risk <- vapply(times, function(t) sum(stays$from == names[j] & stays$start < t & stays$stop >= t), 0)
      emit(analysis, list(group = group, category = names[j], time = times), occupation = p,
           std_err = ifelse(is.na(p), NA, ifelse(p %in% c(0, 1), 0, error[, j])), lower = limits$lower, upper = limits$upper, n_risk = risk)
    }
    moves <- as.data.frame(table(factor(stays$from, names), factor(stays$to, names)), responseName = "n")
    moves <- moves[moves$n > 0, , drop = FALSE]
    if (nrow(moves)) emit(analysis, list(group = group, term = as.character(moves$Var1), category = as.character(moves$Var2)), n = moves$n)
  }
}
