# First viral infection by virus from repeated PCR (ruling 21): de novo, worsening, or unclassifiable without a baseline.

# PCRs of one virus: USUBJID, elapsed day, state (TRUE positive), least and greatest amount, unit, organ disease
pcr_records <- function(study, dataset, virus, origin) {
  table <- matching(clean(study, dataset$domain), virus$where)
  p <- prefix(dataset$domain)
  column <- function(name) if (paste0(p, name) %in% names(table)) table[[paste0(p, name)]] else rep(NA_character_, nrow(table))
  amount <- number(column("STRESN")); side <- column("CENS"); said <- column("QUAL")
  # the result's own word, then its number, then the qualifier; below its limit a result is positive only if it says so
  positive <- ifelse(column("STRESC") %in% c("POSITIVE", "NEGATIVE"), column("STRESC") == "POSITIVE",
                     ifelse(side %in% "left", said %in% "POSITIVE", ifelse(side %in% "right", TRUE,
                            ifelse(!is.na(amount), amount > 0, ifelse(is.na(said), NA, said == "POSITIVE")))))
  low <- ifelse(side %in% "left", 0, ifelse(side %in% "right", number(column("ULOQ")), amount))
  high <- ifelse(side %in% "left", number(column("LLOQ")), ifelse(side %in% "right", Inf, amount))
  unit <- tolower(column("ORRESU"))
  records <- data.frame(clock = minutes(column("DT_TM")),
                        USUBJID = table$USUBJID, day = days(column("DT_LO")), exact = column("DT_LO") == column("DT_HI"), positive = positive,
                        low = low, high = high, unit = unit, organ = column("ORGAN") %in% "Y")
  records$elapsed <- records$day - origin[match(records$USUBJID, study$ids)]
  records <- records[!is.na(records$elapsed) & records$exact & !is.na(records$positive) & !(column("STAT") %in% "NOT DONE"), , drop = FALSE]
  records[order(records$day), , drop = FALSE]
}

# TRUE where a PCR is at least `rise` log10 above another in the same unit, whatever the limits hide
risen <- function(records, base, rise) {
  records$positive & records$unit %in% base$unit & !is.na(records$unit) & !is.na(records$low) & !is.na(base$high) &
    signif(records$low, 12) >= signif(base$high * 10^rise, 12)
}

# one patient and virus: list(base, class, elapsed day of infection, tests). `clock`: that of the start
one_virus <- function(dataset, own, end, clock) {
  own <- own[own$elapsed <= end, , drop = FALSE]
  # a PCR of the day of the start is before it unless both clock times say otherwise
  before <- own$elapsed < 0 | (own$elapsed == 0 & (is.na(own$clock) | is.na(clock) | own$clock <= clock))
  inside <- own$elapsed >= dataset$baseline[[1]] & own$elapsed <= dataset$baseline[[2]]
  # the last before the start; else the first of a baseline that reaches beyond its day
  base <- if (any(inside & before)) max(which(inside & before)) else if (any(inside) && dataset$baseline[[2]] > 0) which(inside)[1] else NA
  later <- which(!before & !(seq_len(nrow(own)) %in% base))
  if (!is.na(base)) later <- later[later > base]
  tests <- length(later) + !is.na(base)
  state <- if (is.na(base)) "none" else if (own$positive[base]) "positive" else "negative"
  result <- function(class, at = NA) list(base = state, class = class, day = if (is.na(at)) NA else own$elapsed[at], tests = tests)
  if (!tests) return(result("not tested"))
  hit <- later[own$positive[later]]
  if (is.na(base)) return(result(if (length(hit)) "unclassifiable" else "none"))
  earlier <- which(own$positive & seq_len(nrow(own)) <= base)
  if (length(earlier)) {
    worse <- later[own$organ[later] | risen(own[later, ], own[max(earlier), ], dataset$rise_log10)]
    return(if (length(worse)) result("worsening", worse[1]) else result("none"))
  }
  if (length(hit)) result("de novo", hit[1]) else result("none")
}

# data.frame per patient and virus, ANYVIR for the first of any
infection_table <- function(study, id) {
  key <- paste("infections", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  origin <- study$milestones[[dataset$start]]$low
  end <- rep(Inf, length(origin))
  for (name in texts(dataset$ends)) {
    day <- study$milestones[[name]]$high - origin
    # a milestone before the start is misdated and ends nothing
    end <- pmin(end, ifelse(is.na(day) | day < 0, Inf, day))
  }
  if (!is.null(dataset$until)) end <- pmin(end, dataset$until)
  viruses <- lapply(dataset$viruses, function(virus) pcr_records(study, dataset, virus, origin))
  codes <- vapply(dataset$viruses, function(virus) virus$code, "")
  rows <- list()
  for (i in which(!is.na(origin))) {
    clock <- study$milestones[[dataset$start]]$time[i]
    found <- lapply(viruses, function(records) one_virus(dataset, records[records$USUBJID == study$ids[i], , drop = FALSE], end[i], clock))
    found <- c(stats::setNames(found, codes), list(ANYVIR = any_virus(found)))
    first <- first_milestone(study, texts(dataset$competing), i, origin[i])
    stop <- min(end[i], max(0, study$milestones$last_alive$low[i] - origin[i]))
    for (code in names(found)) {
      ended <- infection_end(found[[code]], first, origin[i], end[i], stop)
      # an infection after what ended the time is none
      if (!is.na(found[[code]]$day) && !(ended$code %in% 0)) found[[code]]$class <- "none"
      rows[[length(rows) + 1]] <- data.frame(USUBJID = study$ids[i], PARAMCD = code, BASESTAT = found[[code]]$base, CLASS = found[[code]]$class,
                                             STARTDT = origin[i], ADT = origin[i] + ended$time, AVAL = ended$time, CNSR = ended$code,
                                             EVENT = ended$event, NTEST = found[[code]]$tests)
    }
  }
  if (!length(rows)) not_covered("viral infections of no patient")
  table <- do.call(rbind, rows)
  shown <- table; shown$STARTDT <- day_text(shown$STARTDT); shown$ADT <- day_text(shown$ADT)
  keep_derived(study, id, shown)
  study$cache[[key]] <- table
  table
}

any_virus <- function(found) {
  bases <- vapply(found, function(one) one$base, ""); classes <- vapply(found, function(one) one$class, "")
  days <- vapply(found, function(one) as.numeric(one$day), 0)
  base <- if ("positive" %in% bases) "positive" else if ("negative" %in% bases) "negative" else "none"
  tests <- sum(vapply(found, function(one) one$tests, 0))
  # of those of one day de novo counts first
  at <- which(days == min(c(days, Inf), na.rm = TRUE))
  if (length(at)) return(list(base = base, class = if ("de novo" %in% classes[at]) "de novo" else classes[at[1]], day = min(days, na.rm = TRUE), tests = tests))
  class <- if (all(classes == "not tested")) "not tested" else if ("unclassifiable" %in% classes) "unclassifiable" else "none"
  list(base = base, class = class, day = NA, tests = tests)
}

# the infection (also where its order cannot be known), the first competing milestone in the window, or its end
infection_end <- function(one, first, origin, end, stop) {
  if (one$class == "not tested") return(list(time = NA, code = NA, event = NA))
  rival <- !is.null(first) && first$day - origin <= end
  if (!is.na(one$day) && !(rival && first$high - origin < one$day)) return(list(time = one$day, code = 0, event = "infection"))
  if (rival) return(list(time = first$day - origin, code = 1 + first$place, event = first$id))
  list(time = stop, code = 1, event = NA)
}

TIMES$infections <- function(analysis) {
  table <- infection_table(analysis$study, analysis$dataset)
  matching(table, analysis$spec$where)
}

CAUSES$infections <- function(analysis) {
  list(event = "infection", competing = texts(find_dataset(analysis$study, analysis$dataset)$competing))
}

# by virus, and patients with at least one of any virus: their denominators are those in whom it was possible for one
KINDS$infections <- function(analysis) {
  level <- analysis$spec$conf_level
  table <- infection_table(analysis$study, analysis$dataset)
  for (group in names(groups(analysis))) for (code in unique(matching(table, analysis$spec$where)$PARAMCD)) {
    members <- groups(analysis)[[group]]
    own <- table[table$USUBJID %in% members & table$PARAMCD == code, , drop = FALSE]
    part <- if (code == "ANYVIR") table[table$USUBJID %in% members & table$PARAMCD != code, , drop = FALSE] else own
    where <- function(category) list(group = group, parameter = code, category = category)
    patients <- function(...) length(unique(part$USUBJID[...]))
    share(analysis, where("de novo"), patients(part$CLASS == "de novo"), length(members), level)
    for (pair in list(c("de novo", "negative"), c("worsening", "positive"))) {
      base <- part$BASESTAT == pair[2]
      share(analysis, where(paste0(pair[1], ", ", pair[2], " at baseline")), patients(base & part$CLASS == pair[1]), patients(base), level)
    }
    share(analysis, where("unclassifiable"), patients(part$CLASS == "unclassifiable"), length(members))
    share(analysis, where("not tested"), sum(own$CLASS == "not tested"), length(members))
  }
}
