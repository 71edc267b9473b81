"""HTML of tables: what a narrow column may break, and what not."""

from ablate import report
from tests.report.results_builder import build, one_pair, variant


def test_a_part_and_its_value_stay_on_one_line() -> None:
    rows = (variant("m = 0.9", "baseline"), variant("m = 1", momentum__teacher_head=1.0))
    scores = one_pair([94.0, 94.2, 94.1], [94.4, 94.1, 94.3], variants=rows)
    [table] = report.study_tables(build({"top1": scores}, rows))
    text = report.render([table], "html")
    assert '<th scope="row">m\u00a0=\u00a01</th>' in text
