"""How long `ablate import --json` takes over generated plans, and whether a field changed.

python -m benchmarks.plan_import [DOCUMENTS]     (2,000 where none is given)
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DOCUMENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
WORDS = ("momentum", "τ", "L̃_pred", "`code`", "head", "<b>wide</b>", "λ = 0.1", "w/o", "[x](y)")


def plan(draw: random.Random) -> tuple[str, list[dict[str, object]]]:
    """A document and the records that its fields should give."""
    records: list[dict[str, object]] = []
    lines = [
        "<div style='color: red'>",
        "<h2>Reasoning</h2>",
        "",
        "Some thoughts. " * 40,
        "",
        "</div>",
        "",
    ]
    lines += ["## Ablation Plan", ""]
    for number in range(draw.randint(1, 4)):
        text = [" ".join(draw.choices(WORDS, k=draw.randint(1, 6))) for _ in range(5)]
        lines += [f"### Study {number} {text[0]}", f"- **Ablated Part**: {text[1]}"]
        lines += [
            "- **Action**: REPLACE",
            "- **Replacement**: ",
            f"  - {text[2]}",
            f"  - {text[3]}",
        ]
        lines += ["- **Metrics**: Top-1 accuracy (%)", ""]
        records.append({
            "name": f"Study {number} {text[0]}", "ablated_part": text[1], "action": "REPLACE",
            "replacement": text[2:4], "metrics": ["Top-1 accuracy (%)"],
        })  # fmt: skip
    return draw.choice(["\n", "\r\n"]).join(lines), records


def main() -> None:
    """Write the documents, import them in one go, compare."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        wanted: list[dict[str, object]] = []
        for number in range(DOCUMENTS):
            text, records = plan(draw)
            Path(folder, f"{number:04}.md").write_bytes(text.encode())
            wanted += records
        files = sorted(str(path) for path in Path(folder).glob("*.md"))
        began = time.perf_counter()
        command = [sys.executable, "-m", "ablate", "import", "--json", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
    found = json.loads(done.stdout)
    altered = sum(
        any(record[key] != value for key, value in one.items())
        for record, one in zip(found, wanted, strict=True)
    )
    print(f"{DOCUMENTS} documents, {len(found)} ablations: {seconds:.1f} s, {altered} altered")


if __name__ == "__main__":
    main()
