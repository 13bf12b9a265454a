"""Formulas as the tables of styles and optimizers have them, such as w⁺ = v − η λ sign w, as MathML."""

import re
import unicodedata
from html import escape

TOKEN = re.compile(
    r"(?P<root>√?)(?P<base>[A-Za-z]+|[α-ω]|\d+(?:\.\d+)?)(?P<hat>\u0302?)(?P<sub>[₀-₉]*)(?P<sup>[⁺ᵗ⁰¹²³']*)"
    r"|(?P<operator>[=+−·/<>≤≥(),|])|(?P<unknown>\S)"
)
WORDS = ("if", "else")
THIN, WIDE = '<mspace width="0.17em"></mspace>', '<mspace width="0.45em"></mspace>'


def clauses(formula: str) -> list[str]:
    """The clauses of a formula, which a comma and two blanks separate: "v = w − η g,  m₀ = 0" has two."""
    return re.split(r",  +", formula)


def mathml(formula: str) -> str:
    """One <math> element for one formula. Raises ValueError for a character that it does not know."""
    row, after_operand, bars = "", False, 0
    for token in TOKEN.finditer(unicodedata.normalize("NFD", formula)):
        if token["unknown"]:
            raise ValueError(f"{token['unknown']!r} in {formula!r} has no MathML yet")
        if token["operator"] == "|":  # the first of two opens, the second closes
            row += f'<mo form="{("prefix", "postfix")[bars % 2]}">|</mo>'
            after_operand, bars = bars % 2 == 1, bars + 1
        elif token["operator"]:
            row += leaf(token["operator"])
            after_operand = token["operator"] == ")"
        elif token["base"] in WORDS:
            row += f"{WIDE}<mtext>{token['base']}</mtext>{WIDE}"
            after_operand = False
        else:
            row += (THIN if after_operand else "") + operand(**token.groupdict())
            after_operand = True
    return f"<math>{row}</math>"


def operand(root: str, base: str, hat: str, sub: str, sup: str, **_: object) -> str:
    """A name or a number with its hat, subscript and superscript, under a root if there is one."""
    marked = f'<mover accent="true">{leaf(base)}<mo stretchy="false">ˆ</mo></mover>' if hat else leaf(base)
    scripts = [leaf(unicodedata.normalize("NFKD", script).replace("'", "′")) for script in (sub, sup) if script]
    tag = f"m{'sub' * bool(sub)}{'sup' * bool(sup)}"
    scripted = f"<{tag}>{marked}{''.join(scripts)}</{tag}>" if scripts else marked
    return f"<msqrt>{scripted}</msqrt>" if root else scripted


def leaf(text: str) -> str:
    """A number, a name (one letter is set in italics, more are upright) or an operator."""
    tag = "mn" if text[0].isdigit() else "mi" if text.isalpha() else "mo"
    return f"<{tag}>{escape(text)}</{tag}>"
