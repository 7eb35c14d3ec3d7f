"""What held each attempt on each store: kept in found/, shown in docs/hostile.md.

    script/stores run STORE python3 e2e/hostile/document.py      tries it all again on a store, and writes both
"""

import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
FOUND = HERE / "found"
PAGE = HERE.parents[1] / "docs" / "hostile.md"
STORES = "embedded", "seaweedfs", "ceph"
START, END = "<!-- found: by e2e/hostile/document.py -->\n", "<!-- end -->"


def found(sheet):
    rows = [{"says": row["says"], "held": sorted(row["held"])} for row in sheet.values()]
    return {"store": os.environ["STORE_VERSION"], "attempts": rows}


def is_whole(session):
    """Whether every test runs, and none failed."""
    return session.testsfailed == 0 and not session.config.option.keyword and all(
        pathlib.Path(argument.split("::")[0]).resolve() == HERE for argument in session.config.args
    )


def keep(found):
    FOUND.mkdir(exist_ok=True)
    (FOUND / f"{os.environ['STORE']}.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    PAGE.write_text(page())


def kept(store):
    return json.loads((FOUND / f"{store}.json").read_text())


def block():
    sheets = [kept(store) for store in STORES if (FOUND / f"{store}.json").exists()]
    yield f"| attempt | {' | '.join(sheet['store'] for sheet in sheets)} |"
    yield "|---|" + "---|" * len(sheets)
    # The tests' order, which is the same everywhere.
    for one in dict.fromkeys(row["says"] for sheet in sheets for row in sheet["attempts"]):
        cells = [next((row["held"] for row in sheet["attempts"] if row["says"] == one), []) for sheet in sheets]
        yield f"| {one} | {' | '.join(', '.join(cell) for cell in cells)} |"


def page():
    """The page as it should be."""
    before, rest = PAGE.read_text().split(START)
    return before + START + "\n".join(block()) + "\n" + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    import pytest

    sys.exit(pytest.main([str(HERE), "-q", "--write"]))
