"""What `import stars_hub` costs beside `import torch`: fresh interpreters, taking turns.

Names are fetched when they are first used, so the encoder is measured too.

    python benchmarks/import_time.py
"""

import subprocess
import sys
from functools import partial

from common import report, take_turns

WAYS = ("import torch", "import stars_hub", "from stars_hub import STARSEncoder")


def main() -> None:
    ways = {code: partial(subprocess.run, [sys.executable, "-c", code], check=True) for code in WAYS}
    seconds = take_turns(ways, repeats=11)
    rows = [
        {"code": code, "seconds": seconds[code], "times torch": seconds[code] / seconds["import torch"]}
        for code in ways
    ]
    report("import_time", rows, note="median of fresh interpreters, files in the page cache")


if __name__ == "__main__":
    main()
