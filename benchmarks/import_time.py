"""What `import stars_hub` costs beside `import torch`: fresh interpreters, taking turns.

python benchmarks/import_time.py
"""

import subprocess
import sys

from common import report, take_turns


def main() -> None:
    modules = ("torch", "stars_hub")
    ways = {
        name: lambda name=name: subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
        for name in modules
    }
    seconds = take_turns(ways, repeats=11)
    rows = [
        {"import": name, "seconds": seconds[name], "times torch": seconds[name] / seconds["torch"]}
        for name in modules
    ]
    report("import_time", rows, note="median of fresh interpreters, files in the page cache")


if __name__ == "__main__":
    main()
