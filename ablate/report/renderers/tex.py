"""Any text as LaTeX that pdflatex compiles and that prints what the text says."""

from __future__ import annotations

import re
import unicodedata

from ablate.report.choices import Engine
from ablate.report.tables.notation import TILDE, Symbol, split

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "_": r"\_", "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "`": r"\`{}", "\u00a0": "~",
    "±": r"$\pm$", "×": r"$\times$", "−": "$-$", "→": r"$\to$", "↑": r"$\uparrow$",
    "↓": r"$\downarrow$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$",
    "∞": r"$\infty$", "·": r"$\cdot$", "—": r"\textemdash{}", "–": r"\textendash{}",
    "…": r"\dots{}", "°": r"$^\circ$",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "å": r"\aa{}",
    "Å": r"\AA{}", "ł": r"\l{}", "Ł": r"\L{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ı": r"\i{}",
    "“": "``", "”": "''", "‘": "`", "’": "'", "§": r"\S{}", "©": r"\copyright{}",
    "∆": r"$\Delta$", "µ": r"$\mu$", "†": r"\dag{}", "‡": r"\ddag{}", "√": r"$\surd$",
    "∈": r"$\in$", "∉": r"$\notin$", "∑": r"$\sum$", "∏": r"$\prod$", "∂": r"$\partial$",
    "∇": r"$\nabla$", "∝": r"$\propto$", "∅": r"$\emptyset$", "∪": r"$\cup$", "∩": r"$\cap$",
    "⊂": r"$\subset$", "⊆": r"$\subseteq$", "←": r"$\leftarrow$", "↔": r"$\leftrightarrow$",
    "⇒": r"$\Rightarrow$", "≪": r"$\ll$", "≫": r"$\gg$", "≡": r"$\equiv$", "∼": r"$\sim$",
    "⟨": r"$\langle$", "⟩": r"$\rangle$", "∘": r"$\circ$", "∗": r"$\ast$", "⋅": r"$\cdot$",
    "′": "$'$", "″": "$''$", "⊕": r"$\oplus$", "⊙": r"$\odot$", "⊗": r"$\otimes$",
    "✓": r"\ding{51}", "✔": r"\ding{52}", "✗": r"\ding{55}", "✘": r"\ding{56}",
}  # fmt: skip

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "π": "pi", "ρ": "rho", "ς": "varsigma", "σ": "sigma", "τ": "tau",
    "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma",
    "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma",
    "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip

#: Greek capitals and omicron that look like Latin letters have no command of their own.
_LATIN_LOOK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))

#: Characters with a command of their own.
_KNOWN = _SPECIAL | {letter: f"$\\{name}$" for letter, name in _GREEK.items()} | _LATIN_LOOK

_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", "0123456789+-=()", strict=True))
_SCRIPTS = re.compile(f"[{''.join(_RAISED)}]+|[{''.join(_LOWERED)}]+")
_FRACTION = "\u2044"  #: the bar of ½ once it is taken apart

#: Around the code point of a character that LaTeX has no command for, until the engine is known;
#: private characters, which no text keeps.
_FROM, _TO = "\ue000", "\ue001"
_CODE = re.compile(f"{_FROM}([0-9A-F]+){_TO}")

_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", TILDE: "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c",
}  # fmt: skip


#: The same on letters that are set as mathematics, such as Greek ones.
_MATH_ACCENTS = {
    "\u0300": "grave", "\u0301": "acute", "\u0302": "hat", TILDE: "tilde", "\u0304": "bar",
    "\u0306": "breve", "\u0307": "dot", "\u0308": "ddot", "\u030c": "check",
}  # fmt: skip


def tex(text: str, engine: Engine = Engine.PDFLATEX) -> str:
    """Escaped text; L_pred, τ, ×, 2¹⁰ and the like set as mathematics.

    Accented letters become accent commands. A character that LaTeX has no command for passes
    through for lualatex, and is printed as its code point for pdflatex: [U+4E2D].
    """
    return settled(unsettled(text), engine)


def settled(text: str, engine: Engine) -> str:
    """Text of `unsettled` for one engine."""
    if engine is Engine.LUALATEX:
        return _CODE.sub(lambda match: chr(int(match[1], 16)), text)
    return _CODE.sub(lambda match: f"[U+{int(match[1], 16):04X}]", text)


def without_command(text: str) -> str:
    """The characters in a text of `unsettled` that LaTeX has no command for, each once."""
    return "".join(dict.fromkeys(chr(int(code, 16)) for code in _CODE.findall(text)))


def unsettled(text: str) -> str:
    """As `tex`, before it is known which engine the text is for."""
    one_line = re.sub(r"[ \t\r\n]+", " ", text).strip(" ")
    done = "".join(
        _symbol(piece) if isinstance(piece, Symbol) else _plain(piece) for piece in split(one_line)
    )
    # A row may end right before this text, and "\\\\" would take these for its own arguments.
    return f"{{{done[0]}}}{done[1:]}" if done[:1] in ("[", "*") else done


def _symbol(symbol: Symbol) -> str:
    letter = _letter(symbol.letter)
    if symbol.tilde:
        letter = rf"\tilde{{{letter}}}"
    subscript = symbol.subscript
    if len(subscript) > 1:
        subscript = rf"{{\mathrm{{{subscript}}}}}"
    return f"${letter}_{subscript}$"


def _letter(letter: str) -> str:
    """A letter inside mathematics."""
    if letter in _GREEK:
        return "\\" + _GREEK[letter]
    if letter.isascii():
        return letter
    return rf"\mbox{{{_plain(letter)}}}"


def _plain(text: str) -> str:
    return _SCRIPTS.sub(_script, _escaped(text))


def _script(match: re.Match[str]) -> str:
    """A run of superscripts or subscripts: "¹⁰" is one exponent, never digits beside the base."""
    run, table, sign = match[0], _RAISED, "^"
    if run[0] in _LOWERED:
        table, sign = _LOWERED, "_"
    return f"${sign}{{{''.join(table[one] for one in run)}}}$"


def _escaped(text: str) -> str:
    pieces, rest = [], unicodedata.normalize("NFC", text)
    for index, character in enumerate(rest):
        if not unicodedata.combining(character):
            accents = _combining_after(rest, index + 1)
            # Two hyphens or apostrophes in a row are ligatures: "--" would print a dash.
            twice = character in "-'" and index and rest[index - 1] == character
            pieces.append(("{}" if twice else "") + _character(character, accents))
        elif index == 0:
            pieces.append(_character(" ", character))
    return "".join(pieces)


def _combining_after(text: str, start: int) -> str:
    end = start
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    return text[start:end]


def _character(character: str, accents: str) -> str:
    base = _base(character)
    for accent in accents:
        if accent in _MATH_ACCENTS and base.startswith("$") and base.endswith("$"):
            base = f"$\\{_MATH_ACCENTS[accent]}{{{base[1:-1]}}}$"
        elif accent in _ACCENTS:
            base = f"\\{_ACCENTS[accent]}{{{base}}}"
    return base


def _base(character: str) -> str:
    """One character without the accents that follow it."""
    if character in _RAISED or character in _LOWERED:
        return character  # set as a run, see `_script`
    if character in _KNOWN:
        return _KNOWN[character]
    if character.isascii():
        return character if character.isprintable() else ""
    if character.isspace() or not character.isprintable():
        return " " if character.isspace() else ""
    return _foreign(character)


def _foreign(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    settable = (
        decomposed[0].isascii() or decomposed[0] in _KNOWN
    )  # an accent on a code says nothing
    if settable and len(decomposed) > 1 and all(mark in _ACCENTS for mark in decomposed[1:]):
        return _character(decomposed[0], decomposed[1:])
    similar = unicodedata.normalize("NFKD", character)
    above, bar, below = similar.partition(_FRACTION)
    if bar and (above + below).isascii():
        return rf"$\frac{{{above}}}{{{below}}}$"
    # Fullwidth and ligatures read the same; "①" as 1 would be another number.
    same_digits = unicodedata.category(character) == "Nd" or not any(map(str.isdigit, similar))
    if similar.isascii() and similar.strip() and same_digits:
        return "".join(map(_base, similar))
    return f"{_FROM}{ord(character):X}{_TO}"
