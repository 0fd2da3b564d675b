# Several arms: tests at baseline and of adverse events, levels made of bands, events marked by a rule, rounding.

# halves away from zero on the decimal number that is read; binary 54.45 is 54.4500000000000028
round_away <- function(x, digits) {
  vapply(x, function(value) {
    if (is.na(value)) return(NA_real_)
    text <- format(abs(value), digits = 15, scientific = FALSE, trim = TRUE)
    parts <- strsplit(text, ".", fixed = TRUE)[[1]]
    tail <- if (length(parts) > 1) parts[2] else ""
    kept <- substr(paste0(tail, strrep("0", digits)), 1, digits)
    up <- nchar(tail) > digits && substr(tail, digits + 1, digits + 1) >= "5"
    whole <- as.numeric(paste0(parts[1], kept)) + up
    sign(value) * whole / 10^digits
  }, 0, USE.NAMES = FALSE)
}

# level of the first band that holds each number
band_levels <- function(values, bands) {
  vapply(values, function(value) {
    if (is.na(value)) return(NA_character_)
    for (band in bands) {
      inside <- (is.null(band$ge) || value >= band$ge) && (is.null(band$gt) || value > band$gt) &&
        (is.null(band$le) || value <= band$le) && (is.null(band$lt) || value < band$lt)
      if (inside) return(band$label)
    }
    NA_character_
  }, "", USE.NAMES = FALSE)
}

# ---- adverse events ---------------------------------------------------------------------------------------

# case, accents and repeated blanks aside
fold_text <- function(text) {
  plain <- iconv(text, "UTF-8", "ASCII//TRANSLIT")
  gsub("[[:space:]]+", " ", trimws(tolower(ifelse(is.na(plain), text, plain))))
}

# Y where the preferred term is in the table or named, holds one of the texts, or is of a class without being exempt
marked <- function(study, list, ae) {
  term <- fold_text(ae$AEDECOD)
  table <- if (is.null(list$table)) character(0) else
    vapply(study$reference(sub("[.]csv$", "", list$table)), function(row) row$term, "")
  hit <- term %in% fold_text(c(table, texts(list$terms)))
  for (part in fold_text(texts(list$contains))) hit <- hit | grepl(part, term, fixed = TRUE)
  by_class <- fold_text(ae$AEBODSYS) %in% fold_text(texts(list$classes)) & !term %in% fold_text(texts(list$except_terms))
  ifelse(is.na(ae$AEDECOD), NA, ifelse(hit | (by_class & !is.na(ae$AEBODSYS)), "Y", "N"))
}

# the first dated adverse event that matches a filter on windows, lists and attributes
filtered_event <- function(study, event) {
  dataset <- find_dataset(study, event$dataset)
  if (dataset$kind != "adverse_events" || event$date != "ASTDT") not_covered("event ", event$id)
  rows <- NULL
  rest <- event$where
  for (window in dataset$windows) if (window$variable %in% names(rest)) {
    if (!identical(texts(rest[[window$variable]]), "Y")) not_covered("event ", event$id)
    inside <- window_events(study, dataset, window)
    rows <- if (is.null(rows)) inside else rows[rows$row_id %in% inside$row_id, , drop = FALSE]
    rest[[window$variable]] <- NULL
  }
  if (is.null(rows)) not_covered("event ", event$id, " without a window")
  rows <- matching(rows, rest)
  day <- days(rows$ASTDT)
  first <- as.numeric(tapply(day, factor(rows$USUBJID, study$ids), function(x) if (all(is.na(x))) NA else min(x, na.rm = TRUE)))
  list(low = first, high = first, time = rep(NA_real_, length(first)), happened = !is.na(first))
}

# patients with one of `events`, each other arm against the one that is named
compare_events <- function(analysis, where, events) {
  spec <- analysis$spec
  if (is.null(spec$compare_with)) return(invisible())
  arms <- groups(analysis)
  arms$Overall <- NULL
  against <- arms[[spec$compare_with]]
  for (arm in setdiff(names(arms), spec$compare_with)) {
    hits <- c(sum(arms[[arm]] %in% events$USUBJID), sum(against %in% events$USUBJID))
    sizes <- c(length(arms[[arm]]), length(against))
    place <- c(list(group = arm, comparator = spec$compare_with), where)
    counts <- rbind(hits, sizes - hits)
    # nothing to compare where nobody has the event
    if (!sum(hits)) next
    if (spec$test == "fisher") {
      emit(analysis, place, p = stats::fisher.test(counts)$p.value)
    } else if (all(rowSums(counts) > 0)) {
      test <- suppressWarnings(stats::chisq.test(counts, correct = FALSE))
      emit(analysis, place, chi_square = unname(test$statistic), p = test$p.value)
    }
  }
}

# every line of the tables that are compared, all arms together
compare_displays <- function(analysis, events, lines) {
  displays <- texts(analysis$spec$displays)
  every <- events[events$USUBJID %in% analysis$subjects$USUBJID, , drop = FALSE]
  if ("overview" %in% displays) for (line in lines) {
    compare_events(analysis, list(variable = "overview", category = line), every[KINDS_OF_EVENT[[line]](every), , drop = FALSE])
  }
  if ("soc_pt" %in% displays) for (class in unique(every$AEBODSYS)) {
    own <- every[every$AEBODSYS %in% class, , drop = FALSE]
    compare_events(analysis, list(variable = "soc_pt", parameter = class), own)
    for (term in unique(own$AEDECOD)) {
      compare_events(analysis, list(variable = "soc_pt", parameter = class, category = term), own[own$AEDECOD %in% term, , drop = FALSE])
    }
  }
}

# the worst severity of each patient; other words than the three are missing
worst_severity <- function(analysis, group, part, members) {
  scale <- c("MILD", "MODERATE", "SEVERE")
  rank <- match(part$AESEV, scale)
  worst <- vapply(members, function(id) {
    own <- rank[part$USUBJID == id]
    if (!length(own)) -1 else if (all(is.na(own))) 0 else max(own, na.rm = TRUE)
  }, 0)
  where <- function(category) list(group = group, variable = "worst_severity", category = category)
  for (level in seq_along(scale)) {
    name <- paste0(substr(scale[level], 1, 1), tolower(substring(scale[level], 2)))
    share(analysis, where(name), sum(worst == level), length(members))
    emit(analysis, where(name), events = sum(rank %in% level & part$USUBJID %in% members[worst == level]))
  }
  share(analysis, where("Severity missing"), sum(worst == 0), length(members))
  emit(analysis, where("Severity missing"), events = sum(is.na(rank) & part$USUBJID %in% members[worst == 0]))
  share(analysis, where("No adverse event"), sum(worst == -1), length(members))
}

# ---- baseline ---------------------------------------------------------------------------------------------

# test that a variable of the patients is alike in the groups
baseline_test <- function(analysis, variable) {
  spec <- analysis$spec
  arm <- analysis$subjects[[spec$by %or% "USUBJID"]]
  values <- analysis$subjects[[variable]]
  known <- !is.na(values) & !is.na(arm)
  values <- values[known]; arm <- factor(arm[known])
  where <- list(group = "Overall", variable = variable, term = "Test")
  if (is.numeric(values)) {
    if (identical(spec$test_numbers, "anova")) {
      if (nlevels(arm) < 2 || length(values) <= nlevels(arm)) return(invisible())
      table <- summary(stats::aov(values ~ arm))[[1]]
      emit(analysis, where, f = table[1, "F value"], df_residual = table[2, "Df"], p = table[1, "Pr(>F)"])
    } else if (identical(spec$test_numbers, "kruskal_wallis")) {
      test <- stats::kruskal.test(values, arm)
      emit(analysis, where, chi_square = unname(test$statistic), p = test$p.value)
    }
  } else if (identical(spec$test_factors, "chi_square")) {
    table <- table(values, arm)
    if (min(dim(table)) < 2) return(invisible())
    test <- suppressWarnings(stats::chisq.test(table, correct = FALSE))
    emit(analysis, where, chi_square = unname(test$statistic), p = test$p.value)
  }
}
