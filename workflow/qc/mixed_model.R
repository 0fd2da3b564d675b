# Means over visits by a linear mixed model: REML by nlme, degrees of freedom by Satterthwaite's approximation from the
# observed information of the restricted likelihood (Fai and Cornelius 1996). The covariance of a patient's visits is
# linear in its parameters, V = sum theta_k V_k, so that all derivatives are exact (Harville 1977, section 5):
# with P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1 the score is -(tr(P V_k) - y'P V_k P y) / 2 and the observed information
# y'P V_k P V_l P y - tr(P V_k P V_l) / 2.

# covariance matrices V_k of all values, and the parameters nlme finds
fit_covariance <- function(part, covariance, visits) {
  same <- outer(part$USUBJID, part$USUBJID, "==")
  part$id <- factor(part$USUBJID); part$at <- match(part$AVISIT, visits)
  control <- list(maxIter = 500, msMaxIter = 500, tolerance = 1e-10, msTol = 1e-12, returnObject = FALSE)
  if (covariance == "random_intercept") {
    fit <- nlme::lme(AVAL ~ 0 + visit, part, random = ~ 1 | id, method = "REML", control = control)
    between <- as.numeric(nlme::getVarCov(fit))
    return(list(parts = list(same * 1, diag(nrow(part))), theta = c(between, fit$sigma^2),
                term = c("Variance between patients", "Residual variance")))
  }
  fit <- nlme::gls(AVAL ~ 0 + visit, part, correlation = nlme::corSymm(form = ~ at | id), weights = nlme::varIdent(form = ~ 1 | visit),
                   method = "REML", control = control)
  ratio <- c(1, coef(fit$modelStruct$varStruct, unconstrained = FALSE))
  names(ratio)[1] <- setdiff(visits, names(ratio))
  sd <- fit$sigma * ratio[visits]
  correlation <- diag(length(visits))
  correlation[lower.tri(correlation)] <- coef(fit$modelStruct$corStruct, unconstrained = FALSE)
  correlation[upper.tri(correlation)] <- t(correlation)[upper.tri(correlation)]
  sigma <- correlation * outer(sd, sd)
  cells <- which(lower.tri(sigma, diag = TRUE), arr.ind = TRUE)
  parts <- lapply(seq_len(nrow(cells)), function(k) {
    pair <- outer(part$at == cells[k, 1], part$at == cells[k, 2], "&")
    same * (pair | t(pair))
  })
  list(parts = parts, theta = sigma[cells], term = rep(NA_character_, nrow(cells)))
}

reml_at <- function(theta, parts, x, y) {
  v <- solve(Reduce(`+`, Map(`*`, theta, parts)))
  cov <- solve(t(x) %*% v %*% x)
  p <- v - v %*% x %*% cov %*% t(x) %*% v
  products <- lapply(parts, function(part) p %*% part)
  residual <- p %*% y
  trace <- function(a, b) sum(a * t(b))
  pairs <- function(f) outer(seq_along(parts), seq_along(parts), Vectorize(f))
  half <- pairs(function(k, l) trace(products[[k]], products[[l]])) / 2
  score <- vapply(seq_along(parts), function(k) {
    -(sum(diag(products[[k]])) - as.numeric(t(residual) %*% parts[[k]] %*% residual)) / 2
  }, 0)
  curvature <- pairs(function(k, l) as.numeric(t(residual) %*% parts[[k]] %*% p %*% parts[[l]] %*% residual))
  # derivative of the covariance of the means by each parameter
  slopes <- lapply(parts, function(part) cov %*% t(x) %*% v %*% part %*% v %*% x %*% cov)
  list(mean = as.numeric(cov %*% t(x) %*% v %*% y), cov = cov, score = score, expected = half, observed = curvature - half, slopes = slopes)
}

# mean, standard error and degrees of freedom of a contrast
contrast_of <- function(weights, at) {
  variance <- as.numeric(t(weights) %*% at$cov %*% weights)
  slope <- vapply(at$slopes, function(part) as.numeric(t(weights) %*% part %*% weights), 0)
  list(estimate = sum(weights * at$mean), error = sqrt(variance), df = 2 * variance^2 / as.numeric(t(slope) %*% solve(at$observed) %*% slope))
}

KINDS$mixed_model <- function(analysis) {
  spec <- analysis$spec
  if (!is.null(spec$by) || isTRUE(spec$baseline)) not_covered("mixed model with groups or a covariate")
  if (identical(spec$inference, "kenward_roger")) not_covered("mixed model by Kenward and Roger")
  visits <- texts(spec$visits)
  table <- analysed_values(analysis)
  part <- table[table$PARAMCD == spec$parameter & table$AVISIT %in% visits & !is.na(table$AVAL), , drop = FALSE]
  part <- part[order(part$USUBJID, match(part$AVISIT, visits)), , drop = FALSE]
  part$visit <- factor(part$AVISIT, visits)
  if (any(table(part$visit) == 0)) not_covered("mixed model with a visit without values")
  x <- stats::model.matrix(~ 0 + visit, part)
  fit <- fit_covariance(part, spec$covariance %or% "random_intercept", visits)
  # at the edge of the parameters, no variance between patients, there are no degrees of freedom of this kind
  if (any(fit$theta[!is.na(fit$term)] < 1e-8 * max(abs(fit$theta)))) not_covered("mixed model without variance between patients")
  at <- reml_at(fit$theta, fit$parts, x, part$AVAL)
  # nlme stops at a relative change of its own; a few steps of scoring take its estimate to the top of the same likelihood
  theta <- fit$theta
  for (step in 1:50) {
    move <- solve(at$expected, at$score)
    theta <- theta + move
    at <- reml_at(theta, fit$parts, x, part$AVAL)
    if (max(abs(move)) < 1e-12 * max(abs(theta))) break
  }
  if (max(abs(theta - fit$theta)) > 1e-3 * max(abs(theta)) || theta[length(theta)] <= 0) stop("mixed model: nlme and scoring disagree")
  show <- function(where, value, weights, n) {
    found <- contrast_of(weights, at)
    width <- stats::qt((1 + spec$conf_level) / 2, found$df) * found$error
    emit(analysis, where, n = n, std_err = found$error, lower = found$estimate - width, upper = found$estimate + width)
    do.call(emit, c(list(analysis, where), stats::setNames(list(found$estimate), value)))
  }
  where <- function(...) list(group = "Overall", parameter = spec$parameter, ...)
  with_value <- function(visit) part$USUBJID[part$AVISIT == visit]
  for (visit in visits) {
    own <- as.numeric(visits == visit)
    show(where(variable = "AVAL", visit = visit), "ls_mean", own, length(with_value(visit)))
    if (!is.null(spec$base_visit) && visit != spec$base_visit) {
      show(where(variable = "CHG", visit = visit, base_visit = spec$base_visit), "mean_difference",
           own - as.numeric(visits == spec$base_visit), length(intersect(with_value(visit), with_value(spec$base_visit))))
    }
  }
  for (k in which(!is.na(fit$term))) emit(analysis, where(variable = "AVAL", term = fit$term[k]), variance = theta[k])
}
