"""Any text as LaTeX that pdflatex compiles and that prints what the text says."""

from __future__ import annotations

import re
import unicodedata

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
    "²": "$^2$", "³": "$^3$", "∆": r"$\Delta$", "µ": r"$\mu$",
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

_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", TILDE: "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c",
}  # fmt: skip


def tex(text: str) -> str:
    """Escaped text; L_pred, τ, × and the like set as mathematics.

    Accented letters become accent commands. Letters that pdflatex has no command for are
    transliterated, or, failing that, printed as their code point: [U+4E2D].
    """
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
        if accent in _ACCENTS:
            base = f"\\{_ACCENTS[accent]}{{{base}}}"
    return base


def _base(character: str) -> str:
    """One character without the accents that follow it."""
    if character in _KNOWN:
        return _KNOWN[character]
    if character.isascii():
        return character if character.isprintable() else ""
    if character.isspace() or not character.isprintable():
        return " " if character.isspace() else ""
    return _foreign(character)


def _foreign(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    if len(decomposed) > 1 and all(mark in _ACCENTS for mark in decomposed[1:]):
        return _character(decomposed[0], decomposed[1:])
    similar = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode().strip()
    if similar:
        return "".join(map(_base, similar))
    return f"[U+{ord(character):04X}]"
