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

# Area under the mean concentrations at the days of visits: Bailer's weights, covariances of Holder for patients
# sampled at several of them, degrees of freedom of Satterthwaite (samples of a patient: of complete batches only).
KINDS$sparse_area <- function(analysis) {
  spec <- analysis$spec
  if (length(spec$hours)) not_covered("areas by hours")
  table <- analysed_values(analysis)
  table <- table[table$PARAMCD == spec$parameter & table$AVISIT %in% texts(spec$visits), , drop = FALSE]
  set <- find_visits(analysis$study, find_dataset(analysis$study, analysis$dataset)$visits)
  targets <- vapply(texts(spec$visits), function(label) {
    visit <- Filter(function(entry) entry$label == label, set$visits)[[1]]
    as.numeric(visit$day - analysis$study$protocol$time$first_day)
  }, 0)
  table$time <- targets[table$AVISIT]
  for (group in names(groups(analysis))) {
    part <- table[table$USUBJID %in% groups(analysis)[[group]], , drop = FALSE]
    where <- list(group = group, parameter = spec$parameter, variable = "AVAL")
    emit(analysis, where, n = nrow(part), n_below = sum(part$CENS == "left"))
    fit <- if (any(part$CENS == "right")) NULL else sparse_fit(part, spec)
    if (is.null(fit)) next
    half <- stats::qt(1 - (1 - spec$conf_level) / 2, fit$df) * fit$se
    emit(analysis, where, auc = fit$area, std_err = fit$se, lower = fit$area - half, upper = fit$area + half)
  }
}

sparse_fit <- function(part, spec) {
  value <- ifelse(part$CENS == "left", 0, part$AVAL)
  who <- if (identical(spec$design, "serial")) as.character(seq_len(nrow(part))) else part$USUBJID
  times <- sort(unique(part$time))
  if (length(times) < 2) return(NULL)
  at <- lapply(times, function(time) stats::setNames(value[part$time == time], who[part$time == time]))
  means <- vapply(at, function(x) if (!isFALSE(spec$majority) && mean(x == 0) > .5) 0 else mean(x), 0)
  if (all(means == 0)) return(list(area = 0, se = NA_real_, df = NA_real_))
  kept <- if (identical(spec$to, "all")) length(times) else max(which(means > 0))
  if (kept < 2) return(NULL)
  at <- at[seq_len(kept)]; gaps <- diff(times[seq_len(kept)]) / 2
  weight <- c(0, gaps) + c(gaps, 0)
  area <- sum(weight * means[seq_len(kept)])
  sizes <- lengths(at)
  if (any(sizes < 2)) return(list(area = area, se = NA_real_, df = NA_real_))
  holder <- outer(seq_len(kept), seq_len(kept), Vectorize(function(i, j) {
    both <- intersect(names(at[[i]]), names(at[[j]])); r <- length(both)
    if (i != j && r < 2) return(0)
    sum((at[[i]][both] - mean(at[[i]])) * (at[[j]][both] - mean(at[[j]]))) /
      ((r - 1) + (1 - r / sizes[i]) * (1 - r / sizes[j]))
  }))
  roof <- sqrt(outer(diag(holder), diag(holder)))
  holder <- pmax(pmin(holder, roof), -roof)
  shared <- outer(seq_len(kept), seq_len(kept), Vectorize(function(i, j) length(intersect(names(at[[i]]), names(at[[j]])))))
  variance <- sum(outer(weight / sizes, weight / sizes) * shared * holder)
  list(area = area, se = if (variance >= 0) sqrt(variance) else NA_real_, df = sparse_df(at, weight))
}

# every batch of patients with the same times has one area per patient; a time of its own is a batch of one time
sparse_df <- function(at, weight) {
  key <- vapply(at, function(x) paste(sort(names(x)), collapse = "|"), "")
  batches <- split(seq_along(at), key)
  members <- unlist(lapply(batches, function(i) names(at[[i[1]]])))
  if (anyDuplicated(members)) return(NA_real_)
  parts <- vapply(batches, function(i) {
    patients <- names(at[[i[1]]])
    areas <- rowSums(do.call(cbind, lapply(i, function(k) weight[k] * at[[k]][patients])))
    c(stats::var(areas) / length(areas), length(areas) - 1)
  }, c(0, 0))
  sum(parts[1, ])^2 / sum(parts[1, ]^2 / parts[2, ])
}
