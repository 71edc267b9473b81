"""The page as a text: complete, escaped, self-contained, and the same every time."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from ablate.report.page import build as pages
from ablate.report.page.build import page
from tests.report.figure_studies import curves_of
from tests.report.page_studies import EVIL, evil, five_pairs, job_states, page_of
from tests.report.report_studies import costs, many_rows, momentum_grid, nasty, two_pairs
from tests.report.results_builder import build

VOID = {"meta", "link", "img", "source", "br"}


class Reader(HTMLParser):
    """Collects elements, and complains of tags that don't match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.mark.parametrize("study", [two_pairs, momentum_grid, nasty, costs, evil])
def test_well_formed_and_without_anything_from_outside(study):
    reader = Reader(page_of(study()))
    assert reader.open == []
    for _, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:")
        href = attributes.get("href") or "#"
        assert href.startswith("#") or href == "data:,"
    assert len(reader.all("script")) == 1
    assert len(reader.all("style")) == 1


def test_the_policy_names_the_pages_own_style_and_script():
    text = page_of(evil())
    [policy] = [meta["content"] for meta in Reader(text).all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_headings_descend_and_ids_are_unique():
    reader = Reader(page_of(two_pairs()))
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in reader.all("a")}
    assert targets <= set(ids)
    assert reader.all("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in reader.all("img"))


def test_everything_a_reader_needs():
    text = Reader(page_of(two_pairs(overrides={"lr": 0.1}))).text
    for words in (
        "Does the swapped view's prediction help?",
        "1 of 4 comparisons differs",
        "2 not tested",
        "26 of 32 runs done",
        "32 jobs: 26 done, 4 waiting, 1 failed, 1 diverged.",
        "1 job was resumed after an interruption; 12 s of work had to be done again.",
        "attempt 2: from epoch 3, step 120, 12 s lost",
        "momentum.teacher_head",
        "c0de" * 16,
        "2.14.0",
        "lr = 0.1",
        "trained here",
        "Figure 1.",
        "Without result:",
    ):
        assert words in text, words


def test_hostile_texts_are_shown_as_they_are():
    reader = Reader(page_of(evil()))
    for words in EVIL:
        assert words in reader.text
    assert "49" not in reader.text.split("Jobs")[0]


def test_the_page_begins_with_the_whole_headline_and_says_it_once():
    text = page_of(two_pairs())
    assert text.count("1 of 4 comparisons differs") == 1
    header = text[: text.index("</header>")]
    assert "4 jobs are still to come: <code>ablate run symmetry --profile quick</code>" in header


def test_jobs_say_how_long_they_took_and_what_they_cost():
    study = costs()
    jobs = job_states(study)
    worked = {job.id: 60.0 * (i + 1) for i, job in enumerate(jobs)}
    reader = Reader(page(study, jobs, worked=worked))
    assert "They worked for 45 min in all, 1 min to 9 min each, and took at most" in reader.text
    assert {"120.0", "540.0"} <= {cell.get("data-value") for cell in reader.all("td")}


def test_a_grid_marks_the_baselines_cell():
    reader = Reader(page_of(momentum_grid()))
    assert [one.get("class") for one in reader.all("td")].count("baseline") == 1


def test_same_study_same_page():
    assert page_of(momentum_grid()) == page_of(momentum_grid())


def test_a_study_that_has_not_begun():
    study = build({"top1": {}})
    text = Reader(page(study, job_states(study), curves_of(study))).text
    assert "0 of 9 runs done" in text
    assert "None of 2 rows has a seed in common" in text


def test_a_study_of_costs_alone_has_no_verdict():
    reader = Reader(page_of(build({"train_seconds": {}})))
    assert "verdict" not in [attributes.get("class") for attributes in reader.all("p")]


def test_many_figures_are_cut_off_and_the_page_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(pages, "MOST_FIGURES", 1)
    reader = Reader(page(many_rows(), []))
    assert len(reader.all("img")) == 1
    assert "draws them all" in reader.text


def test_where_a_teacher_came_from_is_a_name_and_no_path():
    teachers = [
        replace(teacher, checkpoint="/home/someone/secret/ckpt_epoch_240.pth")
        for teacher in two_pairs().teachers
    ]
    text = page_of(two_pairs(teachers=teachers))
    assert "checkpoint ckpt_epoch_240.pth" in text
    assert "/home/someone" not in text


def test_asking_for_a_page_is_what_loads_jinja():
    script = (
        "import sys, ablate.report.page.build, ablate.report.publish;"
        "sys.exit(any(m in sys.modules for m in ('matplotlib', 'pandas', 'jinja2', 'torch')))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_table_has_the_legend_of_its_marks_right_below():
    text = page_of(five_pairs())  # its six tables have one legend
    below = re.findall(r'</table>\s*</div>\s*<div class="notes">(.*?)</div>', text, re.S)
    legend = "±: standard deviation over seeds"
    assert [legend in notes for notes in below] == [True] * 6
    shared = text.partition("Notes to all tables")[2]
    assert legend not in shared
    assert "Digits, profile quick" in shared
