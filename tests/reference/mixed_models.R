# Reference values of linear mixed models. Usage: Rscript mixed_models.R input.csv > values.csv
# input: set,patient,arm,base,visit,y. values: set,model,what,name,value
suppressMessages(library(nlme))
options(contrasts = c("contr.treatment", "contr.poly"))
data <- read.csv(commandArgs(TRUE)[1])
cat("set,model,what,name,value\n")
out <- function(set, model, what, values, names)
  for (i in seq_along(values)) cat(set, model, what, names[i], format(values[i], digits = 15), sep = ",", fill = TRUE)
formulas <- list(visit = y ~ 0 + factor(visit), arms = y ~ 0 + factor(visit):arm + base)
tight <- lmeControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-12, msTol = 1e-14, niterEM = 200, opt = "optim",
                    optimMethod = "BFGS")
close <- glsControl(maxIter = 500, msMaxIter = 1000, tolerance = 1e-12, msTol = 1e-14, opt = "optim")
for (s in unique(data$set)) for (form in names(formulas)) {
  d <- data[data$set == s, ]
  f <- formulas[[form]]
  m <- lme(f, random = ~ 1 | patient, data = d, control = tight)
  se <- sqrt(diag(vcov(m)))
  name <- paste0("random_intercept_", form)
  out(s, name, "coef", fixef(m), names(fixef(m)))
  out(s, name, "se", se, names(se))
  out(s, name, "component", c(getVarCov(m)[1, 1], m$sigma^2), c("patient", "residual"))
  out(s, name, "loglik", as.numeric(logLik(m)), "")
  if (s != "between") next
  u <- gls(f, data = d, correlation = corSymm(form = ~ visit + 1 | patient), weights = varIdent(form = ~ 1 | visit),
           control = close)
  se <- sqrt(diag(vcov(u)))
  name <- paste0("unstructured_", form)
  out(s, name, "coef", coef(u), names(coef(u)))
  out(s, name, "se", se, names(se))
  out(s, name, "loglik", as.numeric(logLik(u)), "")
}
