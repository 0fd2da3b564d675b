# Reference values of non-compartmental analysis. Usage: Rscript nca_indometh.R input.csv > expected.json
# input: subject,time,conc. Needs the package NonCompart.
suppressMessages(library(NonCompart))
data <- read.csv(commandArgs(TRUE)[1])
number <- function(x) ifelse(is.na(x), "null", trimws(formatC(x, digits = 15, format = "g")))
block <- function(adm, down) {
  rows <- sapply(sort(unique(data$subject)), function(s) {
    d <- data[data$subject == s, ]
    duration <- if (adm == "Infusion") 0.25 else 0
    r <- sNCA(d$time, d$conc, dose = 25, adm = adm, dur = duration, concUnit = "mg/L", down = down, R2ADJ = 0)
    sprintf('   "%d": {%s}', s, paste(sprintf('"%s": %s', names(r), number(as.numeric(r))), collapse = ", "))
  })
  sprintf('  "%s_%s": {\n%s\n  }', tolower(adm), tolower(down), paste(rows, collapse = ",\n"))
}
blocks <- character()
for (adm in c("Bolus", "Infusion", "Extravascular")) for (down in c("Linear", "Log")) blocks <- c(blocks, block(adm, down))
cat('{\n "expected": {\n', paste(blocks, collapse = ",\n"), "\n }\n}\n", sep = "")
