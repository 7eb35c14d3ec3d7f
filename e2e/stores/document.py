"""What each store holds, as `loadlock provision` and `loadlock doctor` find it: kept in found/, shown in docs/stores.md.

    script/stores run STORE python3 e2e/stores/document.py      looks again at a store, and writes both
"""

import json
import os
import pathlib
import tempfile

from service import ROOT, Service

FOUND = pathlib.Path(__file__).parent / "found"
PAGE = ROOT / "docs" / "stores.md"
STORES = "embedded", "seaweedfs", "ceph"
START, END = "<!-- found: by e2e/stores/document.py -->\n", "<!-- end -->"
# What a profile may ask of the store beside tags, the usual class and headers, which all of them take.
ASKED = {
    'class = "STANDARD_IA"': {"LOADLOCK_PROFILES_KEPT_STORAGE_CLASS": "STANDARD_IA"},
    'encryption = "AES256"': {"LOADLOCK_PROFILES_KEPT_STORAGE_ENCRYPTION": "AES256"},
    'encryption = "aws:kms"': {"LOADLOCK_PROFILES_KEPT_STORAGE_ENCRYPTION": "aws:kms"},
}
MARKS = {"holds": "✓", "lacking": "–", "skipped": "–", "breached": "✗", "unreachable": "?"}


def look(service):
    """What the store that the environment names holds, when it has been provisioned."""
    steps = service.provision()
    settings = [
        {
            "name": f"{step['what']}, {'staging' if step['bucket'].endswith('staging') else 'final'}",
            "outcome": {"failed": "breached", "lacking": "lacking"}.get(step["outcome"], "holds"),
            "says": step["says"],
        }
        for step in steps
        if step["what"] != "bucket"
    ]
    storage = [try_asking(service, name) for name in ASKED]
    checks = [{key: check[key] for key in ("name", "outcome", "says")} for check in service.loadlock("doctor")["checks"]]
    return {"store": os.environ["STORE_VERSION"], "settings": settings, "storage": storage, "checks": checks}


def try_asking(service, name):
    """What the doctor says of a profile that asks this of the store."""
    [check] = (check for check in service.loadlock("doctor", **ASKED[name])["checks"] if check["name"] == "storage")
    outcome = {"breached": "lacking"}.get(check["outcome"], check["outcome"])
    return {"name": name, "outcome": outcome, "says": check["says"]}


def kept(store):
    return json.loads((FOUND / f"{store}.json").read_text())


def table(all_found, part):
    """One row for each thing, in the words of the first store, which holds all of them."""
    titles = [found["store"] for found in all_found]
    yield f"| | {' | '.join(titles)} |"
    yield "|---|" + ":-:|" * len(titles)
    for row in all_found[0][part]:
        outcomes = [{one["name"]: one["outcome"] for one in found[part]} for found in all_found]
        # What concerns temporary credentials is not asked of a store that gives none.
        marks = [MARKS[outcome.get(row["name"], "skipped")] for outcome in outcomes]
        says = f": {row['says']}" if part == "checks" else ""
        yield f"| **{row['name']}**{says} | {' | '.join(marks)} |"


def rest(all_found):
    """What does not hold, in the command's own words."""
    for found in all_found:
        for one in found["settings"] + found["storage"] + found["checks"]:
            if one["outcome"] != "holds":
                yield f"- {found['store']}, **{one['name']}**: {one['says']}."


def block():
    all_found = [kept(store) for store in STORES]
    lines = [*table(all_found, "settings"), "", *table(all_found, "storage"), "", *table(all_found, "checks"), "", *rest(all_found), ""]
    return START + "\n".join(lines) + END


def page():
    """The page as it should be."""
    before, rest_of_page = PAGE.read_text().split(START)
    return before + block() + rest_of_page.split(END, 1)[1]


def main():
    with tempfile.TemporaryDirectory() as directory:
        service = Service(pathlib.Path(directory))
        service.provision()
        found = look(service)
    FOUND.mkdir(exist_ok=True)
    (FOUND / f"{os.environ['STORE']}.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    if all((FOUND / f"{store}.json").exists() for store in STORES):
        PAGE.write_text(page())


if __name__ == "__main__":
    main()
