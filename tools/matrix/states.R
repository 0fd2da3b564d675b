# Multi-state data: survival
source(file.path(dirname(gsub("~+~", " ", sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)), fixed = TRUE)), "oracle.R"))
suppressMessages(library(survival))
at <- 0:12
# product of I + dA and its covariance by Kronecker products (Andersen, Borgan, Gill, Keiding 1993, 4.4.17)
greenwood <- function(d, at) {
  S <- 3; P <- diag(S); V <- matrix(0, S * S, S * S); I <- diag(S); found <- NULL; times <- sort(unique(d$stop[d$to > 0])); k <- 1
  read <- function() rbind(found, c(P[1, ], diag(V)[1 + S * (0:(S - 1))]))
  for (t in c(times, Inf)) {
    while (k <= length(at) && at[k] < t) { found <- read(); k <- k + 1 }
    if (is.infinite(t)) break
    A <- matrix(0, S, S); C <- matrix(0, S * S, S * S)
    for (h in 1:S) {
      n <- sum(d$from == h & d$start < t & d$stop >= t); if (!n) next
      e <- sapply(1:S, function(j) sum(d$from == h & d$to == j & d$stop == t)); j <- setdiff(1:S, h)
      A[h, j] <- e[j] / n; A[h, h] <- -sum(A[h, j])
      cov <- (diag(e * n) - outer(e, e)) / n^3; B <- matrix(0, S, S); B[j, j] <- cov[j, j]
      B[h, ] <- -colSums(B[j, , drop = FALSE]); B[, h] <- -rowSums(B[, j, drop = FALSE]); B[h, h] <- sum(cov[j, j])
      place <- h + S * (0:(S - 1)); C[place, place] <- C[place, place] + B
    }
    V <- kronecker(t(I + A), I) %*% V %*% kronecker(I + A, I) + kronecker(I, P) %*% C %*% t(kronecker(I, P))
    P <- P %*% (I + A)
  }
  found
}
for (s in seq_along(sets)) {
  r <- sets[[s]]
  d <- data.frame(id = number(r$id), from = number(r$state) + 1, to = number(r$target) + 1, start = number(r$entry), stop = number(r$exit))
  first <- !duplicated(d$id); d$start[first & d$start == 0] <- -1
  d$event <- factor(d$to, 0:3, c("censor", "a", "b", "c")); d$now <- factor(c("a", "b", "c")[d$from], c("a", "b", "c"))
  f <- quiet(survfit(Surv(start, stop, event) ~ 1, d, id = id, istate = now))
  if (is.null(f)) next
  m <- summary(f, times = at, extend = TRUE)
  mixed <- length(unique(d$from[first])) > 1
  # survfit takes the shares of those at risk at the first move, the library of all at time 0
  early <- mixed && (!any(d$to > 0) || any(d$stop[first] < min(d$stop[d$to > 0])))
  for (k in 1:3) {
    column <- match(c("a", "b", "c")[k], f$states)
    if (!early) put(s, paste0("share", k), if (is.na(column)) rep(0, length(at)) else m$pstate[, column])
    # of patients who begin in several states survfit takes the shares as known, the library as estimated
    if (!mixed)
      put(s, paste0("jackknife", k), if (is.na(column)) rep(0, length(at)) else m$std.err[, column])
  }
  if (all(d$from[first] == 1)) { g <- greenwood(d, at); for (k in 1:3) put(s, paste0("greenwood", k), g[, 3 + k]) }
}
done()
