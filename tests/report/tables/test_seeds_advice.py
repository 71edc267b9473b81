"""Where more seeds are advised, the command that gets them stands beside it."""

from __future__ import annotations

import re
import shlex

import pytest

from ablate import report
from ablate.report.tables.commands import more_seeds
from ablate.study.seeds import parse_seed_text
from tests.report.report_studies import two_pairs
from tests.report.results_builder import build, one_pair

WIDE = [94.0, 93.2, 94.9], [93.1, 94.2, 94.0], [94.6, 93.0, 95.2]


def advice(text):
    """(number of seeds, the command and its seeds) of a sentence that advises some."""
    [command] = re.findall(r"`(ablate [^`]*)`", text)
    words = shlex.split(command)
    return words, parse_seed_text(words[words.index("--seeds") + 1])


def test_seeds_for_a_width_come_with_their_command():
    line = report.verdicts(build({"top1": one_pair(*WIDE)}, margin=2.0))[1]
    count = int(re.search(r"about (\d+) seeds", line)[1])
    words, seeds = advice(line)
    assert words[:5] == ["ablate", "run", "symmetry", "--profile", "quick"]
    assert seeds == list(range(count))


def test_the_cost_of_very_many_seeds_is_shown_first():
    line = report.verdicts(build({"top1": one_pair(*WIDE)}, margin=0.2))[1]
    count = int(re.search(r"about (\d+) seeds", line)[1])
    assert count > 100
    words, seeds = advice(line)
    assert words[1] == "preview"
    assert len(seeds) == count
    assert "says what they cost" in line


@pytest.mark.parametrize("count", [1, 2])
def test_a_study_of_too_few_seeds_for_a_test_names_the_command_that_gets_them(count):
    columns = [column[:count] for column in WIDE]
    line = report.verdicts(build({"top1": one_pair(*columns)}, seeds=range(count)))[1]
    words, seeds = advice(line)
    assert words[1] == "run"
    assert seeds == [0, 1, 2]


def test_seeds_that_a_study_has_stay_in_it():
    plan = build({"top1": one_pair(*WIDE)}, seeds=(7, 8, 2)).plan
    assert more_seeds(plan, 6).arguments[-1] == "0-3,7-8"
    assert more_seeds(plan, 2).arguments[-1] == "2,7-8"


def test_a_table_of_seeds_needed_names_the_command_for_all_its_rows():
    table = report.power_report(two_pairs(), 0.3)
    _, seeds = advice(table.footer[-1])
    assert len(seeds) == 7, "the row that needs most"
    assert "`" not in report.power_report(two_pairs(), 5.0).footer[-1], "it has enough"


def test_a_table_that_was_read_has_no_run_to_name():
    study = build({"top1": one_pair(*WIDE)}, profile="")
    assert "`" not in " ".join(report.verdicts(study))
