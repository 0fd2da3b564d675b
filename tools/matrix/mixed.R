# Repeated measures: nlme
source(file.path(dirname(gsub("~+~", " ", sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)), fixed = TRUE)), "oracle.R"))
suppressMessages(library(nlme))
tight <- lmeControl(maxIter = 200, msMaxIter = 400, tolerance = 1e-12, msTol = 1e-14, niterEM = 50, opt = "optim", optimMethod = "BFGS")
for (s in seq_along(sets)) {
  r <- sets[[s]]
  d <- data.frame(y = number(r$y), id = factor(number(r$id)), visit = number(r$visit), arm = number(r$arm))
  v <- seq_len(max(d$visit) + 1) - 1
  x <- cbind(sapply(v, function(k) as.numeric(d$visit == k)), arm = d$arm)
  if (qr(x)$rank < ncol(x)) next
  d$x <- x
  for (method in c("REML", "ML")) {
    m <- quiet(lme(y ~ 0 + x, random = ~ 1 | id, data = d, method = method, control = tight))
    if (is.null(m)) next
    name <- tolower(method)
    put(s, paste0(name, "_loglik"), as.numeric(logLik(m)))
    put(s, paste0(name, "_coef"), fixef(m)); if (method == "REML") put(s, "reml_se", sqrt(diag(vcov(m))))
  }
}
done()
