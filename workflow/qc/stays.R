# Length of a stay in intensive care or hospital, how it ended, and days free of it.

# data.frame per patient: USUBJID, STARTDT, ADT, AVAL, CNSR, EVENT, ENDED, READMFL, FREEDY, FREEDTH
stay_table <- function(study, id) {
  key <- paste("stay", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  day <- function(name) if (is.null(dataset[[name]])) rep(NA_real_, length(study$ids)) else study$milestones[[dataset[[name]]]]$low
  origin <- day("origin"); leave <- day("discharge"); death <- day("death"); back <- day("readmission"); over <- if (is.null(dataset$over_by)) rep(NA_real_, length(study$ids)) else study$milestones[[dataset$over_by]]$high
  seen <- study$milestones$last_alive$low
  dates <- study$milestones[[dataset$discharge]]; last <- study$milestones[[dataset$death]]$high
  partial <- dates$happened & (is.na(dates$low) | dates$low < dates$high)
  # a partial discharge is on its last possible day, one on an unknown day or on either side of the horizon on none
  latest <- pmax(pmin(dates$high, over, na.rm = TRUE), dates$low, na.rm = TRUE)
  earliest <- pmax(dates$low, origin, na.rm = TRUE)
  vague <- partial & latest >= origin & (is.na(dates$low) | (earliest <= origin + dataset$horizon & origin + dataset$horizon < latest))
  leave <- ifelse(partial, latest, leave)
  death <- ifelse(!is.na(death) & death < last & last >= origin, pmax(death, origin), death)
  # a death in an unknown part of a time is after a discharge in that time
  exact <- study$milestones[[dataset$death]]$low == last
  died <- !is.na(death) & (is.na(leave) | ifelse(exact, death <= leave, last < leave))
  left <- !died & !is.na(leave)
  # who left the hospital without a discharge from the unit left it on an unknown day, unless dead by then
  lost <- (!is.na(over) & is.na(leave) & (is.na(death) | over < last)) | vague
  end <- ifelse(died, death, ifelse(left, leave, seen)) - origin
  wrong <- (!is.na(end) & end < 0) | lost
  late <- !wrong & !is.na(end) & end > dataset$horizon
  late <- late | (!wrong & !died & !left & end >= dataset$horizon)
  ended <- ifelse(wrong, NA, ifelse(late, "still in", ifelse(died, "died", ifelse(left, "discharged alive", "not followed"))))
  length <- ifelse(wrong, NA, ifelse(late, dataset$horizon, end))
  table <- data.frame(USUBJID = study$ids, STARTDT = day_text(origin), ADT = day_text(origin + length), AVAL = length,
                      CNSR = ifelse(wrong, NA, ifelse(ended == "died", 2, ifelse(ended == "discharged alive", 0, 1))),
                      EVENT = ifelse(ended %in% "died", dataset$death, ifelse(ended %in% "discharged alive", dataset$discharge, NA)),
                      ENDED = ended)
  readmitted <- ended %in% "discharged alive" & !is.na(back) & back - origin <= dataset$horizon
  to <- dataset$free_to
  free_end <- if (isTRUE(dataset$free_until_readmission)) pmin(to, back - origin, na.rm = TRUE) else to
  dead_by <- !is.na(death) & death - origin <= to & death >= origin
  followed <- (!is.na(death) & death - origin > to) | seen - origin >= to
  table$FREEDY <- ifelse(dead_by, 0, ifelse(!followed | is.na(length), NA, ifelse(ended == "discharged alive", pmax(0, free_end - length), 0)))
  table$FREEDTH <- ifelse(dead_by, "Y", "N")
  table$READMFL <- ifelse(readmitted, "Y", "N")
  keep_derived(study, id, cbind(PARAMCD = dataset$code, table[c("USUBJID", "STARTDT", "ADT", "AVAL", "CNSR", "EVENT", "FREEDY")]))
  study$cache[[key]] <- table
  table
}

TIMES$stay <- function(analysis) stay_table(analysis$study, analysis$dataset)

CAUSES$stay <- function(analysis) {
  dataset <- find_dataset(analysis$study, analysis$dataset)
  list(event = dataset$discharge, competing = dataset$death)
}

KINDS$length_of_stay <- function(analysis) {
  dataset <- find_dataset(analysis$study, analysis$dataset)
  table <- stay_table(analysis$study, analysis$dataset)
  for (group in names(groups(analysis))) {
    members <- groups(analysis)[[group]]
    part <- table[table$USUBJID %in% members, , drop = FALSE]
    where <- function(variable, category) list(group = group, variable = variable, category = category)
    summarise <- function(variable, category, values) {
      share(analysis, where(variable, category), length(values), length(members))
      if (!length(values)) return(invisible())
      q <- function(p) unname(stats::quantile(values, p, type = 2))
      emit(analysis, where(variable, category), median = q(.5), q1 = q(.25), q3 = q(.75), min = q(0), max = q(1))
    }
    summarise("length", "All", part$AVAL[part$ENDED %in% c("died", "discharged alive", "still in")])
    summarise("length", "Died", part$AVAL[part$ENDED %in% "died"])
    summarise("length", "Discharged alive", part$AVAL[part$ENDED %in% "discharged alive"])
    share(analysis, where("length", paste("Still in on day", dataset$horizon)), sum(part$ENDED %in% "still in"), length(members))
    share(analysis, where("length", "Not followed to the end of the stay"), sum(part$ENDED %in% "not followed"), length(members))
    share(analysis, where("length", "Readmitted"), sum(part$READMFL == "Y"),
                                              sum(part$ENDED %in% "discharged alive"))
    summarise("free", paste("Days free of the stay to day", dataset$free_to), part$FREEDY[!is.na(part$FREEDY)])
    share(analysis, where("free", paste0("Dead by day ", dataset$free_to, ": no free day")), sum(part$FREEDTH == "Y"), length(members))
  }
}
