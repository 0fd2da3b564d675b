# Which of several milestones ends a clock first.

# the first of several milestones of patient `i` from `origin` on, for a clock of days: list(place, day, high); NULL if
# none. A partial date is its first possible day; what cannot be ordered by days or clock times has the declared order;
# a partial death is after what is recorded in its range.
first_milestone <- function(study, ids, i, origin) {
  best <- NULL
  for (place in seq_along(ids)) {
    dates <- study$milestones[[ids[place]]]
    high <- dates$high[i]; low <- dates$low[i]
    if (!dates$happened[i] || is.na(high) || high < origin) next
    own <- list(place = place, id = ids[place], low = low, high = high, time = dates$time[i], exact = !is.na(low) && low == high,
                day = min(high, max(low, origin, na.rm = TRUE)))
    if (is.null(best) || surely_before(own, best)) best <- own
  }
  best
}

surely_before <- function(a, b) {
  # nobody is at risk before the clock starts, so a bound is the first day from there on
  if (a$high < b$day) return(TRUE)
  if (a$exact && b$exact && a$high == b$high) {
    rank <- c(day_rank(a$id), day_rank(b$id))
    if (all(rank < 4) && rank[1] != rank[2]) return(rank[1] < rank[2])
    return(!is.na(a$time) && !is.na(b$time) && a$time < b$time)
  }
  a$exact && !b$exact && b$id == "death" && a$high <= b$high
}
