"""A results folder says its format; one of another is refused by name and left as it is."""

import pytest

from ablate.errors import StoreError
from ablate.store.index import Index
from ablate.store.rebuild import reindex
from ablate.store.results_format import FILE, FORMAT, check_format, write_format
from tests.store.results_lab import TEACHER, Lab, files_of


def test_every_new_folder_is_marked(tmp_path):
    Lab(tmp_path / "a").finish(TEACHER)
    Index.open(tmp_path / "b", writable=True).close()
    for name in "ab":
        assert (tmp_path / name / FILE).read_text() == f'{{"format": {FORMAT}}}\n'
        check_format(tmp_path / name)
    check_format(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "earlier ablate"),
        (f'{{"format": {FORMAT + 1}}}', f"format {FORMAT + 1}"),
        ("", "damaged"),
        ("[]", "damaged"),
        ('{"format": "1"}', "damaged"),
        ('{"format": true}', "damaged"),
        ('{"format": 0}', "damaged"),
    ],
)
def test_another_format_is_refused_and_nothing_is_touched(filled, content, words):
    file = filled.results / FILE
    file.unlink()
    if content is not None:
        file.write_text(content)
    before = files_of(filled.results)
    for use in (Index.open, lambda results: Index.open(results, writable=True), reindex):
        with pytest.raises(StoreError, match=words):
            use(filled.results)
    write_format(filled.results)
    assert files_of(filled.results) == before
