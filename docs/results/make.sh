#!/usr/bin/env bash
# Make everything in this folder again: docs/results/make.sh, about 3 hours on two cores.
# Finished jobs are not run again, so a second call only writes the reports.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.venv/bin:$PATH"

# Write what `ablate report` prints of a study, its figures, and a line per job and metric.
write() {
    study=$1 results=$2 name=$3
    for ending in txt md tex json; do
        ablate report "$study" --results "$results" --notes full --out "docs/results/$name.$ending"
    done
    ablate export "$study" --results "$results" --out "docs/results/$name.jobs.csv"
    rm -rf "docs/results/$name"
    ablate report "$study" --results "$results" --figures "docs/results/$name" --captions
    rm -f "docs/results/$name"/*.pdf
}

ablate run lpred_symmetry --profile fashion --results results/fashion --yes
write lpred_symmetry results/fashion lpred_symmetry_fashion
ablate run teacher_momentum_cross_arch --profile fashion --results results/fashion --yes
write teacher_momentum_cross_arch results/fashion teacher_momentum_cross_arch_fashion
ablate run precision --profile fashion --seeds 0-4 --results results/fashion --yes
write precision results/fashion precision_fashion
ablate run lpred_symmetry --profile quick --seeds 0-9 --results results/quick --yes
write lpred_symmetry results/quick lpred_symmetry_quick
ablate run precision --profile quick --results results/quick --yes
write precision results/quick precision_quick
