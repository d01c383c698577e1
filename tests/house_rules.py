#!/usr/bin/env python3
"""The rules of the house that a machine can hold. Prints every breach with file and line; exits 1 when there is one.

  house_rules.py [ROOT]
"""
import pathlib
import re
import sys

FOLDERS = ("base", "dns", "conf", "certs", "cache", "transports", "gateway")

# Who may include whom (README.md, "The house"). tests/ may include all.
ARROWS = {
    "base": {"base"},
    "dns": {"base", "dns"},
    "conf": {"base", "dns", "conf"},
    "certs": {"base", "dns", "conf", "certs"},
    "cache": {"base", "dns", "conf", "cache"},
    "transports": {"base", "dns", "conf", "certs", "transports"},
    "gateway": set(FOLDERS),
}
LINES_MOST = 450
TEST_LINES_MOST = 600
DRAWERS = re.compile(r"(^|_)(util|utils|misc|common|helper|helpers)(_|$)")


def strip_comments(text):
    """Comments become spaces; line breaks stay, so that line numbers hold."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r"//[^\n]*|/\*.*?\*/", blank, text, flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def breaches(root, path):
    name = path.relative_to(root).as_posix()
    folder = name.split("/")[0]
    text = path.read_text()
    code = strip_comments(text)
    is_header = path.suffix == ".h"

    first = text.split("\n", 1)[0]
    if not re.match(r"// [A-Z0-9\"`'].{15,}", first):
        yield 1, "a file opens with a sentence that says what it is for"
    if is_header and "#pragma once" not in text:
        yield 1, "a header has #pragma once"
    if (lines := text.count("\n")) > (LINES_MOST if folder != "tests" else TEST_LINES_MOST):
        yield lines, "a file is short enough to hold in the head"
    if DRAWERS.search(path.stem):
        yield 1, "no drawers: name the file after what is in it"
    for match in re.finditer(r'^#include "([a-z_]+)/', text, re.M):
        target = match.group(1)
        if folder in ARROWS and target in ARROWS and target not in ARROWS[folder]:
            yield line_of(text, match.start()), f"{folder}/ may not include {target}/: arrows only downwards"
        if folder in ARROWS and target == "tests":
            yield line_of(text, match.start()), "the program does not include its tests"
    if is_header:
        for match in re.finditer(r"^\s*using namespace (?!std::chrono_literals)", code, re.M):
            yield line_of(code, match.start()), "no `using namespace` in a header"
    for match in re.finditer(r"co_spawn\(", code):
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            end += 1
        arguments = code[match.end():end]
        coroutine = re.match(r"[^,]*,\s*(\[[^\]]*\])", arguments)
        if coroutine and coroutine.group(1) != "[]":
            yield line_of(code, match.start()), "a coroutine lambda has no captures: use members or parameters by value"
    for match in re.finditer(r"\b(TODO|FIXME|XXX|HACK)\b", text):
        yield line_of(text, match.start()), "nothing is left open in the code: it belongs in an issue"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    found = 0
    seen = 0
    for folder in (*FOLDERS, "tests"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            seen += 1
            for line, what in breaches(root, path):
                print(f"{path.relative_to(root)}:{line}: {what}")
                found += 1
    if seen == 0:
        print(f"no source files under {root}")
        return 1
    print(f"{seen} files, {found} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
