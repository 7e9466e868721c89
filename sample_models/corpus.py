"""Text for the text models: the standard library's own source lines against its docstrings.

Data: the modules of the Python that runs this (PSF licence). Each snippet is a few consecutive
lines, either of code (without comments and docstrings) or of a docstring. Modules, not snippets,
are divided between training and test, so that no test snippet has a neighbour in the training set.
"""

import ast
import hashlib
import io
import re
import sysconfig
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LABELS = ["code", "prose"]
TOKEN = r"[A-Za-z_]+|[0-9]+|[^A-Za-z_0-9\s]"
SKIPPED = re.compile(
    r"test|idlelib|site-packages|lib2to3|encodings|turtle|pydoc_data|__pycache__|_sysconfigdata"
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def tokens(text: str) -> list[str]:
    """Words, numbers and single punctuation marks."""
    return re.findall(TOKEN, text)


def chunks(lines: list[str]) -> Iterator[str]:
    """Pieces of 10 to 60 tokens, of whole lines."""
    piece: list[str] = []
    for line in lines:
        if len(tokens(" ".join([*piece, line]))) > 60:
            piece = []
        piece.append(line.strip())
        if 10 <= len(tokens(" ".join(piece))) <= 60:
            size = int(hashlib.sha256(line.encode()).hexdigest(), 16) % 4
            if len(piece) > size:
                yield "\n".join(piece)
                piece = []


def divided(source: str) -> tuple[list[str], list[str]]:
    """The lines of code and the lines of docstrings of one module."""
    prose: list[str] = []
    dropped: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and node.body and ast.get_docstring(node):
            prose += (ast.get_docstring(node) or "").splitlines()
            dropped |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    code = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            code[row - 1] = code[row - 1][:column]
    kept = [line for i, line in enumerate(code, 1) if i not in dropped and line.strip()]
    # Examples, signatures and underlines inside docstrings are not prose.
    text = [line for line in prose if re.match(r"\s*[A-Za-z`'\"(*-]", line) and ">>>" not in line]
    return kept, text


def snippets() -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Training and test snippets with labels (0 code, 1 prose), as many of each, in fixed order."""
    parts: tuple[list[tuple[str, int]], ...] = ([], [])
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if SKIPPED.search(name):
            continue
        try:
            code, prose = divided(path.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        held_out = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 5 == 0
        parts[held_out].extend((text, 0) for text in chunks(code))
        parts[held_out].extend((text, 1) for text in chunks(prose))
    return balanced(parts[0]), balanced(parts[1])


def balanced(part: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """As many snippets of code as of prose, shuffled in a fixed way."""
    shuffled = sorted(part, key=lambda item: hashlib.sha256(item[0].encode()).hexdigest())
    fewest = min(Counter(label for _, label in shuffled).values())
    code = [item for item in shuffled if item[1] == 0][:fewest]
    prose = [item for item in shuffled if item[1] == 1][:fewest]
    return [item for pair in zip(code, prose, strict=True) for item in pair]


def vocabulary(part: list[tuple[str, int]], size: int) -> list[str]:
    """The most frequent tokens of these snippets."""
    counts = Counter(token for text, _ in part for token in tokens(text))
    return sorted(counts, key=lambda token: (-counts[token], token))[:size]
