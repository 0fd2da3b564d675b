# Non-parametric maximum likelihood of interval-censored values (Turnbull 1976), by self-consistency.

# Values lie in (low, high], or are exactly low where both are equal. Returns list(left, right, p) of the innermost
# intervals that carry probability; the last right may be infinite.
npmle <- function(low, high) {
  point <- low == high
  ends <- unique(rbind(data.frame(at = low[point], kind = rep(0, sum(point))),
                       data.frame(at = high, kind = rep(1, length(high))),
                       data.frame(at = low[!point], kind = rep(2, sum(!point)))))
  # at one value: a point begins, then intervals that hold the value end, then those that do not hold it begin
  ends <- ends[order(ends$at, ends$kind), , drop = FALSE]
  first <- which(ends$kind[-nrow(ends)] != 1 & ends$kind[-1] == 1)
  left <- ends$at[first]; right <- ends$at[first + 1]; single <- ends$kind[first] == 0
  inside <- outer(seq_along(low), seq_along(left), function(i, j) {
    ifelse(point[i], single[j] & left[j] == low[i],
           right[j] <= high[i] & (left[j] > low[i] | (left[j] == low[i] & !single[j])))
  })
  storage.mode(inside) <- "double"
  p <- rep(1 / length(left), length(left))
  for (step in 1:50000) {
    new <- p * colMeans(inside / as.vector(inside %*% p))
    moved <- max(abs(new - p)); p <- new
    if (moved < 1e-13) break
  }
  keep <- p > 1e-7
  list(left = left[keep], right = right[keep], p = p[keep] / sum(p[keep]))
}
