"""From a table's content to text: terminal, Markdown, LaTeX, CSV, JSON, HTML."""
