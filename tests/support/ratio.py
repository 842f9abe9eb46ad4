"""Lines of tests per line of code. Blank lines, comments, docstrings and stubs do not count.

Usage: python -m tests.support.ratio
"""

import ast
import io
import subprocess
import tokenize
from pathlib import Path

CODE = ("domain", "application", "infrastructure")
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def lines(source: str) -> int:
    """The lines of a module that hold code."""
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    used = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(used - docstrings)


def main() -> None:
    """Prints the lines and their ratio."""
    listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True)
    files = [Path(name) for name in listed.stdout.split()]
    code = sum(lines(f.read_text()) for f in files if f.parts[0] in CODE)
    tests = sum(
        lines(f.read_text())
        for f in files
        if f.parts[0] == "tests" and f.parts[1] not in {"benchmarks", "kit"}
    )
    kit = sum(lines(f.read_text()) for f in files if f.parts[:2] == ("tests", "kit"))
    print(f"code {code}, tests {tests} ({tests / code:.2f} a line of code), kit {kit}")


if __name__ == "__main__":
    main()
