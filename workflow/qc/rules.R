# Three-valued rules of resources/reference: TRUE, FALSE and NA for unknown, as R's own logic has them.

# a value as an interval; NULL where there is none
interval <- function(row) {
  if (is.null(row) || !nrow(row)) return(NULL)
  # a value known only between two bounds, as the grade of stages that are open
  if (!is.null(row$LOW)) return(list(low = row$LOW, high = row$HIGH, low_open = FALSE, high_open = FALSE))
  if (row$CENS %in% "left") return(list(low = 0, high = row$LLOQ, low_open = FALSE, high_open = TRUE))
  if (row$CENS %in% "right") return(list(low = row$ULOQ, high = Inf, low_open = TRUE, high_open = TRUE))
  if (is.na(row$AVAL)) return(NULL)
  list(low = row$AVAL, high = row$AVAL, low_open = FALSE, high_open = FALSE)
}

less <- function(a, b) {
  if (a$high < b$low || (a$high == b$low && (a$high_open || b$low_open))) return(TRUE)
  if (a$low >= b$high) return(FALSE)
  NA
}

less_or_equal <- function(a, b) {
  if (a$high <= b$low) return(TRUE)
  if (a$low > b$high || (a$low == b$high && (a$low_open || b$high_open))) return(FALSE)
  NA
}

scaled <- function(value, factor) {
  # decimals of the data: 1.5 times 0.8 is 1.2, which binary numbers miss by a hair
  value$low <- signif(value$low * factor, 12); value$high <- signif(value$high * factor, 12)
  value
}

exactly <- function(number) list(low = number, high = number, low_open = FALSE, high_open = FALSE)

# `look` is function(parameter, at) giving a row of a value or NULL; `medicine` is function(names, days, day) giving
# TRUE if none of them was given; `parameter` and `at` are defaults
holds <- function(rule, look, items, parameter = NULL, at = "visit", medicine = NULL) {
  again <- function(part) holds(part, look, items, parameter, at, medicine)
  if (!is.null(rule$all_of)) return(all(unlist(lapply(rule$all_of, again))))
  if (!is.null(rule$any_of)) return(any(unlist(lapply(rule$any_of, again))))
  if (!is.null(rule$not)) return(!again(rule$not))
  if (!is.null(rule$at_least)) {
    states <- unlist(lapply(rule$of, again)); need <- as.numeric(rule$at_least)
    if (sum(states, na.rm = TRUE) >= need) return(TRUE)
    return(if (sum(states | is.na(states), na.rm = TRUE) < need) FALSE else NA)
  }
  for (verb in c("met", "abnormal", "resolved", "improved")) if (!is.null(rule[[verb]])) {
    return(item_holds(verb, rule[[verb]], look, items, medicine))
  }
  compare(rule, look, parameter, at, medicine)
}

compare <- function(rule, look, parameter, at, medicine) {
  parameter <- rule$parameter %or% parameter
  at <- rule$at %or% at
  row <- look(parameter, at)
  if (!is.null(rule$free_of)) {
    if (is.null(row)) return(NA)
    return(medicine(texts(rule$free_of), as.numeric(rule$days), row$day))
  }
  if (!is.null(rule$`in`)) {
    if (is.null(row) || is.na(row$AVALC)) return(NA)
    return(row$AVALC %in% texts(rule$`in`))
  }
  value <- interval(row)
  if (is.null(value)) return(NA)
  verb <- intersect(c("lt", "le", "gt", "ge"), names(rule))
  limit <- exactly(as.numeric(rule[[verb]]))
  times <- rule$times %or% "value"
  if (times == "baseline") {
    base <- interval(look(parameter, "baseline"))
    if (is.null(base)) return(NA)
    limit <- scaled(base, limit$low)
  } else if (times == "uln") {
    if (is.na(row$ULN)) return(NA)
    limit <- exactly(row$ULN * limit$low)
  }
  switch(verb, lt = less(value, limit), le = less_or_equal(value, limit), gt = !less_or_equal(value, limit),
         ge = !less(value, limit))
}

item_holds <- function(verb, code, look, items, medicine) {
  item <- items[[code]]
  rule <- function(part, at) holds(part, look, items, item$parameter, at, medicine)
  met <- rule(item$met, "visit")
  if (verb == "met") return(met)
  abnormal <- if (is.null(item$abnormal)) !rule(item$met, "baseline") else rule(item$abnormal, "baseline")
  if (verb == "abnormal") return(abnormal)
  normal <- if (is.null(item$normal)) met else rule(item$normal, "visit")
  resolved <- abnormal & normal
  if (verb == "resolved") return(resolved)
  better <- if (is.null(item$improved)) FALSE else rule(item$improved, "visit")
  abnormal & (normal | better)
}

# items by code, without the optional ones whose parameter the trial does not have
known_items <- function(items, parameters) {
  items <- stats::setNames(items, vapply(items, function(item) item$code, ""))
  Filter(function(item) is.null(item$optional) || item$parameter %in% parameters, items)
}

# a rule without the items that were left out
without_unknown <- function(rule, codes) {
  for (name in intersect(c("all_of", "any_of", "of"), names(rule))) {
    kept <- Filter(function(part) {
      verb <- intersect(c("met", "abnormal", "resolved", "improved"), names(part))
      !length(verb) || part[[verb]] %in% codes
    }, rule[[name]])
    rule[[name]] <- lapply(kept, without_unknown, codes)
  }
  rule
}
