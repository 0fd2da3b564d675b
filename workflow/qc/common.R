# The study as an environment, its tables, and the rows that come out.

KEYS <- c("outcome", "analysis", "scenario", "population", "group", "comparator", "stratum", "term", "parameter",
          "variable", "category", "visit", "base_visit", "time", "statistic")

# NULL in JSON is absent; `%or%` gives the default
`%or%` <- function(value, default) if (is.null(value) || length(value) == 0) default else value

# a list of texts from JSON as a character vector
texts <- function(value) as.character(unlist(value))

read_study <- function(folder) {
  study <- new.env()
  json <- function(name) jsonlite::fromJSON(file.path(folder, paste0(name, ".json")), simplifyVector = FALSE)
  study$folder <- folder
  study$protocol <- json("protocol")
  study$outcomes <- json("outcomes")
  study$keys <- read_table(file.path(folder, "keys.csv"))
  study$tables <- list()
  study$reference <- function(name) json(paste0("reference_", name))
  study$rows <- list()
  study$derived <- list()
  study$cache <- list()
  study
}

read_table <- function(path) {
  utils::read.csv(path, colClasses = "character", na.strings = "", check.names = FALSE, encoding = "UTF-8")
}

# a clean domain without the records after the cut-off (ruling 5) and without repeats of a record, every column text
clean <- function(study, domain) {
  if (is.null(study$tables[[domain]])) {
    table <- read_table(file.path(study$folder, paste0("clean_", domain, ".csv")))
    late <- has_flag(table, "AFTER_CUTOFF")
    # of records with one natural key the first occurrence is used
    key <- sub("/[^/]*$", "", table$row_id)
    occurrence <- suppressWarnings(as.numeric(sub("^.*/", "", table$row_id)))
    repeated <- has_flag(table, "DUPLICATE") & occurrence > stats::ave(occurrence, key, FUN = min)
    study$tables[[domain]] <- table[!late & !repeated, , drop = FALSE]
  }
  study$tables[[domain]]
}

has_flag <- function(table, flag) {
  # of no rows `ifelse` makes logical values
  flags <- as.character(ifelse(is.na(table$flags), "", table$flags))
  vapply(strsplit(flags, "|", fixed = TRUE), function(own) flag %in% own, logical(1))
}

# rows of a table where every named column has one of its values
matching <- function(table, where) {
  keep <- rep(TRUE, nrow(table))
  for (name in names(where)) {
    values <- if (name %in% names(table)) table[[name]] else rep(NA_character_, nrow(table))
    keep <- keep & !is.na(values) & values %in% texts(where[[name]])
  }
  table[keep, , drop = FALSE]
}

prefix <- function(domain) toupper(substr(domain, 1, 2))

# names of the companions of a date variable: AESTDTC -> low, high and clock time
companions <- function(variable) {
  stem <- sub("C$", "", variable)
  list(low = paste0(stem, "_LO"), high = paste0(stem, "_HI"), time = paste0(stem, "_TM"))
}

days <- function(text) as.numeric(as.Date(text))
day_text <- function(number) ifelse(is.na(number), NA_character_, format(as.Date(number, origin = "1970-01-01")))
minutes <- function(clock) {
  parts <- strsplit(as.character(ifelse(is.na(clock), "NA:NA", clock)), ":", fixed = TRUE)
  vapply(parts, function(x) suppressWarnings(60 * as.numeric(x[1]) + as.numeric(x[2])), numeric(1))
}

# a value with what is printed beside it: < or > of a value known by its limit only, = of one that is measured
said <- function(value, text) structure(value, said = text)

# rows of results: `where` names keys, `...` statistics; vectors of one length make several rows. A result in words is a
# text; a number may come with what is said of it.
emit <- function(analysis, where = list(), ...) {
  statistics <- list(...)
  size <- max(lengths(where), lengths(statistics))
  base <- list(outcome = analysis$outcome$id, analysis = analysis$name, scenario = analysis$scenario,
               population = analysis$population)
  for (statistic in names(statistics)) {
    value <- statistics[[statistic]]
    if (is.null(value)) next
    row <- c(base, where, list(statistic = statistic))
    table <- as.data.frame(lapply(KEYS, function(key) rep_len(as.character(row[[key]] %or% NA), size)), col.names = KEYS)
    text <- if (is.character(value)) value else attr(value, "said") %or% NA_character_
    table$value <- rep_len(if (is.character(value)) NA_real_ else as.numeric(value), size)
    table$text <- rep_len(text, size)
    analysis$study$rows[[length(analysis$study$rows) + 1]] <- table
  }
}

keep_derived <- function(study, name, table) {
  study$derived[[name]] <- rbind(study$derived[[name]], table)
}

full <- function(value) ifelse(is.na(value), "", formatC(value, digits = 17, width = 1, format = "g"))

write_study <- function(study, folder) {
  dir.create(folder, recursive = TRUE, showWarnings = FALSE)
  empty <- as.data.frame(matrix(character(0), 0, length(KEYS) + 2, dimnames = list(NULL, c(KEYS, "value", "text"))))
  rows <- if (length(study$rows)) do.call(rbind, study$rows) else empty
  rows$value <- full(rows$value)
  write_table(rows, file.path(folder, "results.csv"))
  for (name in names(study$derived)) {
    table <- study$derived[[name]]
    number <- vapply(table, is.numeric, logical(1))
    table[number] <- lapply(table[number], full)
    write_table(table, file.path(folder, paste0("derived_", name, ".csv")))
  }
}

write_table <- function(table, path) {
  utils::write.csv(table, path, row.names = FALSE, na = "", fileEncoding = "UTF-8", eol = "\n")
}

# ---- one analysis -----------------------------------------------------------------------------------------

# analysis kind -> function(analysis); filled by the files of their topics
KINDS <- list()
# endpoint kind -> function(analysis) giving times to event, and the milestones in the order of their codes
TIMES <- list()
CAUSES <- list()
# dataset kind -> function(study, id) giving values by visit
VALUES <- list()
# dataset kind -> function(study, id, parameter) giving the bounds of the day of a derived event, per patient
EVENTS <- list()

# leaves an analysis out whose data have no second derivation yet; any other error stops the run
not_covered <- function(...) {
  stop(structure(class = c("not_covered", "error", "condition"), list(message = paste0("not covered: ", ...), call = NULL)))
}

# what an analysis of an outcome works on; NULL where the analysis kind has no second derivation yet
run_outcome <- function(study, outcome, scenario) {
  for (spec in outcome$analyses) {
    name <- paste(c(spec$kind, spec$id), collapse = ".")
    run <- KINDS[[spec$kind]]
    wanted <- study$keys$outcome == outcome$id & study$keys$scenario == scenario &
      sub("~curve$", "", study$keys$analysis) == name
    if (is.null(run) || (scenario != "primary" && !any(wanted))) next
    population <- spec$population %or% outcome$estimand$population
    subjects <- study$adsl[in_population(study, population), , drop = FALSE]
    analysis <- list(study = study, outcome = outcome, scenario = scenario, spec = spec, name = name,
                     population = population, subjects = subjects, dataset = spec$dataset %or% outcome$endpoint$dataset)
    tryCatch(run(analysis), not_covered = function(condition) message(outcome$id, " ", name, ": ", conditionMessage(condition)))
  }
}

# groups of patients: levels of `by` in their declared order, then all together
groups <- function(analysis) {
  by <- analysis$spec$by
  all <- list(Overall = analysis$subjects$USUBJID)
  if (is.null(by)) return(all)
  values <- analysis$subjects[[by]]
  found <- lapply(level_order(analysis$study, by), function(level) analysis$subjects$USUBJID[values %in% level])
  names(found) <- level_order(analysis$study, by)
  found <- found[lengths(found) > 0]
  if (isFALSE(analysis$spec$overall)) found else c(found, all)
}

# words for a variable of the patients, as declared
label_of <- function(study, variable) {
  named <- c(study$protocol$subject_variables, study$protocol$formulas, study$protocol$groupings)
  for (entry in named) if (entry$name == variable) return(entry$label)
  variable
}

level_order <- function(study, variable) {
  if (variable == "ARMCD") return(vapply(study$protocol$arms, function(arm) arm$id, ""))
  if (variable == "ARM") return(vapply(study$protocol$arms, function(arm) arm$label, ""))
  for (entry in study$protocol$subject_variables) if (entry$name == variable) return(texts(entry$levels))
  for (entry in study$protocol$groupings) if (entry$name == variable) return(vapply(entry$bands, function(band) band$label, ""))
  character(0)
}
