"""What the k-NN protocol costs beside the least that it takes, at the size of NTU RGB+D.

Baseline: the matrix product and the k largest of each row, 1024 queries at a time, as one would write it,
without scaling to length 1 and without votes. Both run in one process, taking turns; the peak is that of a
fresh process, torch itself included.

    python benchmarks/knn.py [--device cuda] [--threads 2] [--repeats 3]
"""

import multiprocessing
import resource

import torch
from common import arguments, report, take_turns
from torch import Tensor

from stars_hub.evaluation.knn import knn_classify

QUERIES, BANK, DIM, CLASSES = 16_487, 40_091, 256, 60  # NTU-60 XSub
KS = (1, 2, 5, 10)
_CHUNK = 1024


def plain_neighbours(queries: Tensor, bank: Tensor) -> list[Tensor]:
    return [(chunk @ bank.T).topk(KS[-1], dim=1).indices for chunk in queries.split(_CHUNK)]


def features(device: str) -> tuple[Tensor, Tensor, Tensor]:
    bank, queries = torch.randn(BANK, DIM, device=device), torch.randn(QUERIES, DIM, device=device)
    return queries, bank, torch.randint(CLASSES, (BANK,), device=device)


def peak_gigabytes(threads: int) -> float:
    """Most memory that a process ever held which did nothing else but the protocol, on the CPU."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak, (threads,))


def _peak(threads: int) -> float:
    torch.set_num_threads(threads)
    knn_classify(*features("cpu"), ks=KS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    options = arguments(__doc__, repeats=3)
    queries, bank, labels = features(options.device)
    ways = {
        "plain product and topk": lambda: plain_neighbours(queries, bank),
        "knn_classify": lambda: knn_classify(queries, bank, labels, ks=KS),
    }
    seconds = take_turns(ways, repeats=options.repeats, device=options.device)
    peak = peak_gigabytes(options.threads) if options.device == "cpu" else None
    plain = seconds["plain product and topk"]
    rows = [{"way": way, "seconds": seconds[way], "times plain": seconds[way] / plain} for way in ways]
    note = f"{QUERIES} queries, bank of {BANK}, width {DIM}, k = 1, 2, 5, 10"
    if peak is not None:
        note += f"; knn_classify alone peaks at {peak:.2f} GB"
    report("knn" if options.device == "cpu" else "knn_cuda", rows, note=note, device=options.device)
    print(note)


if __name__ == "__main__":
    main()
