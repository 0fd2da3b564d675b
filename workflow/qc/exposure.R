# Planned administrations one by one (given, dose, day, reason if not) and their sum per patient.

exposure_rows <- function(study, id) {
  key <- paste("exposure", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  subjects <- matching(study$adsl, dataset$patients)
  given <- numbered_administrations(study, dataset)
  reasons <- reasons_not_given(study, dataset)
  rows <- list()
  for (i in seq_len(nrow(subjects))) {
    patient <- subjects$USUBJID[i]
    start <- study$milestones[[dataset$start]]
    known <- which(study$ids == patient)
    origin <- if (start$low[known] %in% start$high[known]) start$low[known] else NA
    rows[[i]] <- patient_exposure(dataset, patient, origin, given[given$USUBJID == patient, , drop = FALSE],
                                  reasons[reasons$USUBJID == patient, , drop = FALSE])
  }
  study$cache[[key]] <- do.call(rbind, rows)
  keep_derived(study, id, cbind(study$cache[[key]][c("USUBJID", "PARAMCD", "AVISIT", "AVAL", "AVALC")],
                                ADT = day_text(study$cache[[key]]$day)))
  study$cache[[key]]
}

# records of what was given, with their number: NOT DONE or a dose of 0 is none, nor is one before the start
numbered_administrations <- function(study, dataset) {
  table <- matching(clean(study, dataset$domain), dataset$where)
  status <- paste0(prefix(dataset$domain), "STAT")
  if (status %in% names(table)) table <- table[!table[[status]] %in% "NOT DONE", , drop = FALSE]
  names <- companions(dataset$date)
  found <- data.frame(USUBJID = table$USUBJID, low = days(table[[names$low]]), high = days(table[[names$high]]),
                      dose = number(table[[dataset$dose]]), unit = table[[dataset$unit]])
  own <- if (is.null(dataset$number)) rep(NA_real_, nrow(table)) else number(table[[dataset$number]])
  found$number <- ifelse(own %% 1 == 0 & own >= 1, own, NA)
  start <- study$milestones[[dataset$start]]$low[match(found$USUBJID, study$ids)]
  # an unknown day leaves the administration given
  found <- found[!found$dose %in% 0 & (is.na(found$high) | found$high >= start), , drop = FALSE]
  found <- found[order(found$USUBJID, found$low, found$high, found$number), , drop = FALSE]
  found$number <- stats::ave(found$number, found$USUBJID, FUN = in_order)
  found
}

# numbers as recorded; where one is absent or stands twice the order of dates decides: each is above the one before it
in_order <- function(numbers) {
  if (!anyNA(numbers) && !anyDuplicated(numbers)) return(numbers)
  last <- 0
  for (i in seq_along(numbers)) {
    numbers[i] <- max(numbers[i], last + 1, na.rm = TRUE)
    last <- numbers[i]
  }
  numbers
}

reasons_not_given <- function(study, dataset) {
  reason <- dataset$reason
  if (is.null(reason)) return(data.frame(USUBJID = character(0), number = numeric(0), text = character(0)))
  table <- matching(clean(study, reason$domain), reason$where)
  table <- table[!is.na(table[[reason$variable]]), , drop = FALSE]
  data.frame(USUBJID = table$USUBJID, number = if (is.null(reason$number)) rep(NA, nrow(table)) else number(table[[reason$number]]),
             text = table[[reason$variable]])
}

# the reason of this administration, else one for all, else that of the last before it, which holds for those after it
reason_of <- function(reasons, which) {
  for (own in list(reasons$number %in% which, is.na(reasons$number))) if (any(own)) return(reasons$text[own][1])
  earlier <- reasons[reasons$number < which, , drop = FALSE]
  if (nrow(earlier)) earlier$text[which.max(earlier$number)] else "not recorded"
}

patient_exposure <- function(dataset, patient, origin, given, reasons) {
  row <- function(parameter, visit, value = NA_real_, text = as.character(value), day = NA_real_) {
    data.frame(USUBJID = patient, PARAMCD = parameter, AVISIT = visit, AVAL = value, AVALC = text, day = day)
  }
  parts <- list(); total <- 0; times <- 0; units <- character(0)
  for (which in seq_len(max(dataset$planned, given$number))) {
    visit <- paste(dataset$name, which)
    mine <- given[given$number %in% which, , drop = FALSE]
    if (!nrow(mine)) {
      parts <- c(parts, list(row("GIVEN", visit, text = "N"), row("REASON", visit, text = reason_of(reasons, which))))
      next
    }
    first <- mine[1, ]
    day <- if (first$low %in% first$high) first$low else NA
    dose <- sum(mine$dose)
    times <- times + 1; total <- total + dose; units <- c(units, mine$unit)
    parts <- c(parts, list(row("GIVEN", visit, text = "Y", day = day)))
    if (!is.na(dose)) parts <- c(parts, list(row("DOSE", visit, dose, day = day)))
    if (!is.na(day - origin)) parts <- c(parts, list(row("DAYS", visit, day - origin, day = day)))
  }
  # doses in several units have no sum
  if (length(unique(units)) > 1) total <- NA
  do.call(rbind, c(parts, list(row("NGIVEN", "Whole course", times), row("CUMDOSE", "Whole course", total))))
}

VALUES$exposure <- function(study, id) {
  rows <- exposure_rows(study, id)
  rows <- rows[!is.na(rows$AVAL) | !is.na(rows$AVALC), , drop = FALSE]
  cbind(rows, CENS = "none", LLOQ = NA, ULOQ = NA, text = FALSE)
}
