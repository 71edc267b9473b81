"""What the tests of plan documents share: documents in the format, and studies looked up."""

from __future__ import annotations

from hypothesis import strategies as st

from ablate.methods.registry import find_method
from ablate.study.plan_document import PlanDocument, PlannedAblation, parse_plan
from ablate.study.plan_matching import Vocabulary
from ablate.study.plan_study import PlannedStudy, look_up

VOCABULARY = Vocabulary.of(find_method("cocord"))

#: Any text of one line, and texts that begin as no block of Markdown does.
WORDS = st.text(
    st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1, max_size=40
).map(str.strip)
#: Lines of what Markdown, HTML and lists are made of.
MARKS = st.text(
    st.sampled_from("*_-+#`~<>/[]()|:=1.2)! \\&;abλ\t\x0b\x85\u2028\"'"), min_size=1
).map(str.strip)
_SAFE_START = st.sampled_from(
    ["Size ", "x", "L̃_", "λ", "τ = ", "`code` ", "<b>", "| a | ", "[x]: "]
)
TEXT = st.builds(lambda start, rest: (start + rest).strip(), _SAFE_START, WORDS)


def markdown(
    name: str, part: str, action: str, replacement: list[str], metrics: str, newline: str = "\n"
) -> str:
    """A document with one ablation."""
    lines = [f"### {name}", f"- **Ablated Part**: {part}", f"- **Action**: {action}"]
    lines += ["- **Replacement**: ", *(f"  - {text}" for text in replacement)]
    return newline.join([*lines, f"- **Metrics**: {metrics}", ""])


def only(text: str) -> PlannedAblation:
    """The one ablation of a document."""
    (found,), _ = parse_plan(text, "plan.md")
    return found


def planned(part: str, action: str = "REPLACE", *replacement: str, **more: object) -> PlannedStudy:
    """An ablation of CoCoRD, looked up."""
    plan = PlannedAblation(3, "Study", part, action, replacement, ("Top-1 accuracy (%)",))
    fields = {**vars(plan), **more}
    return look_up(PlanDocument("plan.md", "0" * 64, ()), PlannedAblation(**fields), VOCABULARY)
