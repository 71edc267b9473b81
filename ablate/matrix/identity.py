"""A job is its content: canonical JSON, its SHA-256, and the digest of the training code."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import ablate
from ablate.methods.session import JobConfig

SHORT = 10  #: characters of an id that people see


def canonical(value: object) -> str:
    """JSON with sorted keys, no spaces and no NaN: equal content gives equal text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def job_id(config: JobConfig) -> str:
    """SHA-256 (hex) of the canonical config; it covers upstream jobs through their ids."""
    return hashlib.sha256(canonical(vars(config)).encode()).hexdigest()


def short(identifier: str) -> str:
    """The form of an id that people read and type."""
    return identifier[:SHORT]


def training_code(extra: str = "") -> str:
    """Digest of the code that trains: the training package, and a method's own file or package.

    Comments, docstrings and layout don't count: they cannot change a result, so they must not
    throw finished results away.
    """
    digest = hashlib.sha256()
    for folder in [Path(ablate.__file__).parent / "training", *([Path(extra)] if extra else [])]:
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]
        for path in files:
            name = path.relative_to(folder).as_posix() if path != folder else path.name
            stat = path.stat()
            text = _file_text(path, stat.st_size, stat.st_mtime_ns)
            digest.update(f"{name}\n{text}\n".encode())
    return digest.hexdigest()


def file_code(path: Path) -> str:
    """Digest of the code in one file, of which comments, docstrings and layout are no part."""
    stat = path.stat()
    text = _file_text(path, stat.st_size, stat.st_mtime_ns)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _file_text(path: Path, _size: int, _changed: int) -> str:
    return code_text(path.read_text(encoding="utf-8"))


def code_text(source: str) -> str:
    """Text of a module's syntax tree without docstrings, positions and empty fields.

    Empty fields are left out because Python versions differ in which of them exist.
    """
    return " ".join(_walk(ast.parse(source)))


def _walk(node: object) -> Iterator[str]:
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if value is None or value == [] or name in ("ctx", "type_comment"):
                continue
            yield f"{name}="
            yield from _walk(_without_docstring(node, name, value))
        yield ")"
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item)
    else:
        yield repr(node)


def _without_docstring(node: ast.AST, name: str, value: Any) -> Any:
    if name == "body" and isinstance(
        node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    ):
        return value[ast.get_docstring(node, clean=False) is not None :]
    return value
