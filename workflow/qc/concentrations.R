# Concentrations: type of a sample by hours since the dose before it, ratios of samples taken together (ruling 23).

VALUES$concentrations <- function(study, id) {
  key <- paste("concentrations", id)
  if (!is.null(study$cache[[key]])) return(study$cache[[key]])
  dataset <- find_dataset(study, id)
  records <- finding_records(study, dataset)
  records <- records[records$present & !is.na(records$day), , drop = FALSE]
  records$SAMPTYPE <- sample_type(dataset, (records$day * 1440 + records$clock - records$previous) / 60)
  for (ratio in dataset$ratios) records <- rbind(records, paired_ratios(records, ratio))
  set <- find_visits(study, dataset$visits)
  # troughs, peaks and all samples are each described by the one nearest to the target
  study$cache[[key]] <- assign_visits(study, records, set)
  attr(study$cache[[key]], "records") <- records
  study$cache[[key]]
}

sample_type <- function(dataset, hours) {
  type <- rep("OTHER", length(hours))
  for (entry in dataset$timing) type[!is.na(hours) & hours >= entry$from_hours & hours <= entry$to_hours] <- entry$type
  type
}

# for every numerator the denominator of the same patient nearest in time, at most so many minutes apart
paired_ratios <- function(records, ratio) {
  above <- records[records$PARAMCD == ratio$numerator & !is.na(records$clock), , drop = FALSE]
  below <- records[records$PARAMCD == ratio$denominator & !is.na(records$clock) & records$CENS == "none", , drop = FALSE]
  rows <- lapply(seq_len(nrow(above)), function(i) {
    top <- above[i, ]
    apart <- abs((below$day - top$day) * 1440 + below$clock - top$clock)
    near <- which(below$USUBJID == top$USUBJID & apart <= ratio$within_minutes)
    if (!length(near)) return(NULL)
    base <- below$AVAL[near[which.min(apart[near])]]
    top$PARAMCD <- ratio$code; top$AVAL <- top$AVAL / base; top$LLOQ <- top$LLOQ / base; top$ULOQ <- top$ULOQ / base
    top
  })
  do.call(rbind, rows)
}
