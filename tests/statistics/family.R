# The analysis of ablate/statistics/family.py in base R, written from its formulas.
#   Rscript family.R differences.csv > values.csv
# differences.csv: study,row,seed,difference; all rows of a study have the same seeds, or some of
# them. values.csv: study,row,n,mean,sd,df,low,high,p with 17 digits.
# tests/statistics/r_values.csv was made by it from the first 20 studies of `random_studies` in
# tests/statistics/test_family.py, by R 4.
level <- 0.05
d <- read.csv(commandArgs(trailingOnly = TRUE)[1])
cat("study,row,n,mean,sd,df,low,high,p\n")
for (one in split(d, d$study)) {
  rows <- split(one, one$row)
  m <- length(rows)
  n <- sapply(rows, nrow)
  means <- sapply(rows, function(r) mean(r$difference))
  variances <- sapply(rows, function(r) var(r$difference))
  pooled <- sum((n - 1) * variances) / sum(n - 1)
  # Cov(s_j^2, s_k^2) by the centring matrices of the seeds that each row has.
  seeds <- sort(unique(one$seed))
  centring <- lapply(rows, function(r) {
    has <- as.numeric(seeds %in% r$seed)
    diag(has, length(seeds)) - outer(has, has) / sum(has)
  })
  total <- 0
  for (j in seq_len(m)) for (k in seq_len(m)) {
    r <- if (j == k) 1 else 0.5
    total <- total + r^2 * sum(diag(centring[[j]] %*% centring[[k]]))
  }
  df <- sum(n - 1)^2 / total
  error <- sqrt(pmax(variances, pooled) / n)
  half <- qt(1 - level / (2 * m), df) * error
  p <- pmin(1, m * 2 * pt(-abs(means / error), df))
  values <- cbind(means, sqrt(variances), df, means - half, means + half, p)
  for (j in seq_len(m)) {
    cat(one$study[1], names(rows)[j], n[j], sprintf("%.17g", values[j, ]), sep = ",")
    cat("\n")
  }
}
