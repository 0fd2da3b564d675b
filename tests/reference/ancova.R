# Reference values of an analysis of covariance. Usage: Rscript ancova.R input.csv > values.csv
# input: treat,before,after,half. values: model,what,name,value
# means: rows of model.matrix averaged, as emmeans does; half is a factor for the weights of the means
data <- read.csv(commandArgs(TRUE)[1], stringsAsFactors = TRUE)
out <- function(model, what, name, value) cat(model, what, name, format(value, digits = 15), sep = ",", fill = TRUE)
cat("model,what,name,value\n")
formulas <- list(plain = after ~ treat, base = after ~ treat + before, factor = after ~ treat + before + half)
for (model in names(formulas)) {
  fit <- lm(formulas[[model]], data)
  grid <- expand.grid(treat = levels(data$treat), half = levels(data$half)); grid$before <- mean(data$before)
  x <- model.matrix(delete.response(terms(fit)), grid)
  for (weights in c("equal", "proportional")) {
    share <- if (weights == "equal") rep(1 / nlevels(data$half), nlevels(data$half)) else table(data$half) / nrow(data)
    rows <- sapply(levels(data$treat), function(t) colSums(x[grid$treat == t, ] * as.numeric(share[grid$half[grid$treat == t]])))
    for (t in levels(data$treat)) {
      out(model, paste0("mean_", weights), t, sum(rows[, t] * coef(fit)))
      out(model, paste0("mean_se_", weights), t, sqrt(drop(rows[, t] %*% vcov(fit) %*% rows[, t])))
    }
  }
  first <- levels(data$treat)[1]
  limits <- confint(fit)
  for (t in levels(data$treat)[-1]) {
    name <- paste0("treat", t); label <- paste0(t, "-", first)
    out(model, "difference", label, coef(fit)[name]); out(model, "difference_se", label, sqrt(vcov(fit)[name, name]))
    out(model, "difference_lower", label, limits[name, 1]); out(model, "difference_upper", label, limits[name, 2])
    out(model, "difference_p", label, summary(fit)$coefficients[name, 4])
  }
  tests <- drop1(fit, test = "F")
  for (term in rownames(tests)[-1]) {
    out(model, "f", term, tests[term, "F value"]); out(model, "f_p", term, tests[term, "Pr(>F)"]); out(model, "f_df", term, tests[term, "Df"])
  }
  out(model, "variance", "", summary(fit)$sigma^2); out(model, "df", "", fit$df.residual)
}
