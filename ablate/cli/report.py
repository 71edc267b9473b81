"""`ablate report`: the tables of a paper, its figures, and a page that shows both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ablate.cli.common import (
    DebugOption,
    ResultsOption,
    StudyNameArgument,
    aimed,
    existing_results,
    format_of,
    guarded,
    study_name,
    tell,
)
from ablate.cli.report_options import (
    ENDINGS,
    AllOption,
    BaselineOption,
    CaptionsOption,
    ColumnOption,
    EngineOption,
    EpochOption,
    FiguresOption,
    FormatOption,
    FromOption,
    HtmlOption,
    MetricOption,
    NotesOption,
    OutOption,
    PowerOption,
    TableOption,
    check_not_from,
    check_only_from,
)
from ablate.errors import InputError, Problem, Remedy, did_you_mean
from ablate.report.choices import Engine, Format, Notes, Selection

if TYPE_CHECKING:
    from rich.console import Console

    from ablate.console import Line
    from ablate.report.publish import ReportOptions, Screen
    from ablate.store.find import IndexedStudy
    from ablate.store.index import Index
    from ablate.store.results import StudyResults

_MANY_JOBS = 10_000  #: from here on the tables are made by several processes


@guarded
def report(
    study: StudyNameArgument = None,
    table: TableOption = False,
    format_: FormatOption = None,
    out: OutOption = None,
    metric: MetricOption = None,
    epoch: EpochOption = Selection.LAST,
    power: PowerOption = None,
    html: HtmlOption = None,
    figures: FiguresOption = None,
    captions: CaptionsOption = False,
    notes: NotesOption = Notes.SHORT,
    engine: EngineOption = Engine.PDFLATEX,
    from_: FromOption = None,
    baseline: BaselineOption = None,
    column: ColumnOption = None,
    everything: AllOption = False,
    results: ResultsOption = None,
    debug: DebugOption = False,
) -> None:
    """Print the tables of a study: means, differences to the baseline, intervals.

    Example: ablate report lpred_symmetry --format latex --out table.tex
    """
    from ablate.report.publish import ReportOptions

    tables_too = table or not (html or figures)
    format_of_tables = _table_format(tables_too, format_, out, power)
    chosen = format_of_tables if tables_too else None
    _check_captions(figures, captions=captions)
    options = ReportOptions(power=power, notes=notes, engine=engine, captions=captions)
    if from_ is not None:
        check_not_from(study, epoch, results, everything=everything)
        found = _elsewhere(from_, baseline, metric, column)
        _report_elsewhere(found, options, chosen, out, html=html, figures=figures)
        return
    check_only_from(baseline, column, metric)
    options = replace(options, metric=metric[0] if metric else None, selection=epoch)
    folder, study = existing_results(results, study), study_name(study)
    found_here, many = _found(folder, study, everything=everything)
    written = _tables(folder, found_here, options, chosen, out, shared=many)
    for target, write in _pictures(html, figures):
        written += _written(folder, found_here, options, target, write)
    for path in written:
        typer.echo(str(path))


def _check_captions(figures: Path | None, *, captions: bool) -> None:
    if captions and figures is None:
        raise InputError(Problem("--captions", "", "is about figures", "add --figures FOLDER"))


def _found(folder: Path, study: str | None, *, everything: bool) -> tuple[list[IndexedStudy], bool]:
    """The studies to report, and whether the folder has so many jobs that work is shared."""
    from ablate.store.index import Index

    with Index.open(folder) as index:
        found = _studies(index, study, everything=everything)
        return found, index.count_jobs() > _MANY_JOBS


def _tables(
    folder: Path, found: list[IndexedStudy], options: ReportOptions, chosen: Format | None,
    out: Path | None, *,
    shared: bool,
) -> list[Path]:  # fmt: skip
    """Print the tables or write them; returns the path of what was written."""
    from ablate.report.publish import write_text
    from ablate.report.renderers.html import document

    if chosen is None:
        return []
    if chosen is Format.TERMINAL and out is None:
        _print_tables(folder, found, options, shared=shared)
        return []
    text = _rendered(folder, found, options, chosen)
    if out is None:
        typer.echo(text, nl=False)
        return []
    write_text(out, document(text) if chosen is Format.HTML else text)
    return [out]


def _pictures(
    html: Path | None, figures: Path | None
) -> Iterator[tuple[Path, Callable[..., list[Path]]]]:
    """Where page and figures go, and what writes them."""
    from ablate.report.publish import figures_of, page_of

    if html is not None:
        yield html, page_of
    if figures is not None:
        yield figures, figures_of


def _elsewhere(
    path: Path, baseline: str | None, metric: list[str] | None, column: list[str] | None
) -> StudyResults:
    """The results in a file, with a word on what was assumed about them."""
    from ablate.report.elsewhere import Reading, parse_columns, read_elsewhere

    reading = Reading(baseline or "", tuple(metric or ()), parse_columns(column or ()))
    results = read_elsewhere(path, reading)
    plan = results.plan
    if baseline is None:
        tell(f'baseline: {plan.variants[0].label}, the first row; --baseline "LABEL" for another',
             err=True)  # fmt: skip
    for one in plan.metrics:
        if one.undirected:
            right = f'--metric "{one.name}:{one.unit}:higher" (or lower)'
            tell(f"{one.name}: higher or lower, not better or worse; {right} says which", err=True)
    for note in plan.footnotes:
        tell(note, err=True)
    return results


def _report_elsewhere(
    results: StudyResults, options: ReportOptions, chosen: Format | None, out: Path | None, *,
    html: Path | None, figures: Path | None,
) -> None:  # fmt: skip
    """Print or write the results of a file; no tables if `chosen` is None."""
    from ablate.console import console, print_lines
    from ablate.report import render
    from ablate.report.publish import (
        lines_from,
        pages_and_figures_from,
        tables_from,
        write_text,
    )
    from ablate.report.renderers.html import document

    if chosen is not None:
        tables = tables_from(results, options)
        if out is None and chosen is Format.TERMINAL:
            stream = console()
            print_lines(stream, lines_from(tables, _screen(stream)))
        else:
            text = render(tables, chosen, options.engine)
            if out is None:
                typer.echo(text, nl=False)
            else:
                write_text(out, document(text) if chosen is Format.HTML else text)
                typer.echo(str(out))
    for path in pages_and_figures_from(results, options, html, figures):
        typer.echo(str(path))


def _studies(index: Index, name: str | None, *, everything: bool) -> list[IndexedStudy]:
    """The named study, or the one that was run last; InputError if there is none."""
    found = index.find_studies(name, superseded=everything)
    if not found:
        known = list(dict.fromkeys(one.name for one in index.find_studies()))
        message = f'no study "{name}"' if name is not None else "no study has been run"
        raise InputError(Problem(str(index.results), "", message, did_you_mean(name or "", known)))
    if name is not None and not everything:
        _tell_of_finished(index, name, found)
    if name is not None or everything:
        return found
    last = max(found, key=attrgetter("registered"))
    if len(found) > 1:
        names = [one.name for one in found]
        shown = last.name if names.count(last.name) == 1 else last.described
        others = f"{len(found) - 1} other stud{'y' if len(found) == 2 else 'ies'}"
        how = "`ablate report NAME` or --all"
        if len(set(names)) < len(names):  # a name that several have stands for all of them
            how = "`ablate report KEY` or --all; `ablate status` shows keys"
        tell(
            f"{shown}, the study that was run last; {others}: {aimed(how, index.results)}", err=True
        )
    return [last]


def _tell_of_finished(index: Index, name: str, found: list[IndexedStudy]) -> None:
    """Say that an earlier study of this name is finished, where none that is shown is."""
    from ablate.methods.lifecycle import JobStatus
    from ablate.store.query import studies

    shown = {one.key for one in found}
    if len(index.find_studies(name, superseded=True)) <= len(shown) or name in shown:
        return
    finished = {
        one.plan.key: one
        for one in studies(index)
        if one.plan.name == name and 0 < one.counts[JobStatus.DONE] == sum(one.counts.values())
    }
    if finished and shown.isdisjoint(finished):
        last = max(finished.values(), key=attrgetter("registered"))
        done = last.counts[JobStatus.DONE]
        how = aimed(f"`{Remedy('report', (last.plan.key,))}`", index.results)
        tell(f"an earlier study of this name has {done} of {done} jobs done: {how}", err=True)


def _print_tables(
    folder: Path, found: list[IndexedStudy], options: ReportOptions, *, shared: bool
) -> None:
    from ablate.console import console, print_lines
    from ablate.report.many import over_studies

    out = console()
    work = partial(_lines_here, options=options, screen=_screen(out))
    keys = [one.key for one in found]
    print_lines(out, chain.from_iterable(over_studies(work, folder, keys, shared=shared)))


def _screen(out: Console) -> Screen:
    """What a console prints on."""
    from ablate.console import stands_out
    from ablate.report.publish import Screen

    return Screen(out.width, out.encoding, plain=not stands_out(out))


def _lines_here(index: Index, key: str, options: ReportOptions, screen: Screen) -> list[Line]:
    """What a terminal shows of a study; its commands act on the results that were read."""
    from ablate.report.publish import lines_from, tables_of

    def here(lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(aimed(line, index.results) for line in lines)

    tables = [
        replace(table, headline=here(table.headline), footer=here(table.footer))
        for table in tables_of(index, key, options)
    ]
    return list(lines_from(tables, screen))


def _rendered(
    folder: Path, found: list[IndexedStudy], options: ReportOptions, chosen: Format
) -> str:
    from ablate.report import render
    from ablate.report.many import over_studies
    from ablate.report.publish import tables_for_others

    keys = [one.key for one in found]
    tables = over_studies(partial(tables_for_others, options=options), folder, keys, shared=False)
    return render([table for own in tables for table in own], chosen, options.engine)


def _written(
    folder: Path,
    found: list[IndexedStudy],
    options: ReportOptions,
    target: Path,
    write: Callable[..., list[Path]],
) -> list[Path]:
    """Files of each study in or beside `target`, under a name of its own."""
    from ablate.report.many import over_studies
    from ablate.report.publish import file_names

    work = partial(write, options=options, target=target, names=file_names(found))
    paths = over_studies(work, folder, [one.key for one in found], shared=len(found) > 1)
    return list(chain.from_iterable(paths))


def _table_format(
    tables_too: bool, format_: Format | None, out: Path | None, power: float | None
) -> Format:
    """Format of the tables; InputError names every option that has nothing to act on."""
    options = {"--format": format_, "--out": out, "--power": power}
    if not tables_too:
        problems = [
            Problem(
                option, "", "is about tables, which --html and --figures replace", "add --table"
            )
            for option, value in options.items()
            if value is not None
        ]
        if problems:
            raise InputError(problems)
    if out is not None and format_ is not None and ENDINGS.get(out.suffix, format_) != format_:
        tell(f"{out}: is written as {format_}, whatever its ending says", err=True)
    if format_ is not None or out is None:
        return format_ or Format.TERMINAL
    return format_of(out, ENDINGS)
