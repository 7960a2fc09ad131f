"""Follows every recipe: main.py GATEWAY PAGES WORK [TEXT]."""

import signal
import sys
from pathlib import Path

from recipe import Recipe
from servers import Failed


def follow(recipe: Recipe) -> tuple[int, int, int]:
    """How many steps of it passed, failed, and were not reached because an earlier one failed."""
    passed = failed = skipped = 0
    try:
        for name, step in recipe.steps():
            if failed:
                skipped += 1
                continue
            try:
                step()
            except Failed as failure:
                failed += 1
                print(f"not ok {name} — {failure}", flush=True)
            else:
                passed += 1
                print(f"ok {name}", flush=True)
    finally:
        recipe.close()
    return passed, failed, skipped


def main() -> int:
    gateway, pages, work, *only = sys.argv[1:]
    # So that the servers are stopped as well when the time is over.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    counts = [
        follow(Recipe(page, Path(gateway), Path(work)))
        for page in sorted(Path(pages).glob("*.md"))
        if page.stem != "README" and all(text in page.stem for text in only)
    ]
    passed, failed, skipped = map(sum, zip(*counts, strict=True)) if counts else (0, 1, 0)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return int(failed > 0 or skipped > 0)


if __name__ == "__main__":
    sys.exit(main())
