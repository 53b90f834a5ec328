"""The cheapest assignment of blocks to visible places, instead of an auction."""

import numpy as np
import torch
from jaxtyping import Int32
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from torch import Tensor

from multimix.puzzle.moves import Moves


def assign(
    kept: Tensor, whole: int, saliency: Tensor, sample: Tensor, partner: Tensor, table: Moves
) -> Int32[Tensor, "K P 2 places"]:
    """For every mix and image the source of each place, of least total `price - saliency` over the visible places.

    Invisible places must not be matched: what is sent there is lost. Only moves that pay, and staying, are offered:
    a move that does not pay can always be undone along the chain it started, at no loss.
    """
    mixes, pairs = kept.shape[:2]
    height, width = saliency.shape[1:]
    rows, amounts = (sample, partner), saliency.detach().float().flatten(1).numpy()
    tall, wide = height // kept.shape[2], width // kept.shape[3]
    share = kept.repeat_interleave(tall, 2).repeat_interleave(wide, 3).flatten(2).numpy()
    source = np.tile(np.arange(height * width, dtype=np.int32), (mixes, pairs, 2, 1))
    for image, visible in enumerate((share > 0, share < whole)):
        for p in range(pairs):
            offers = _offers(amounts[rows[image][p]], height, width, table)
            for k in range(mixes):
                places = np.flatnonzero(visible[k, p])
                if len(places):
                    source[k, p, image, places] = _match(offers, places)
    return torch.from_numpy(source)


def _offers(saliency: np.ndarray, height: int, width: int, table: Moves) -> csr_matrix:
    """Return what each place (row) would pay for each block (column) that may come; all raised above 0."""
    places = np.arange(height * width)
    down, right = places // width, places % width
    found = [np.stack([places, places, -saliency.astype(np.float64)])]
    for m in range(len(table.price)):
        pays = (table.price[m] < saliency) & ((table.down[m] != 0) | (table.right[m] != 0))
        r, c = down + table.down[m], right + table.right[m]
        pays &= (r >= 0) & (r < height) & (c >= 0) & (c < width)
        if pays.any():
            price = np.float64(table.price[m]) - saliency[pays]
            found.append(np.stack([(r * width + c)[pays], places[pays], price]))
        elif table.price[m] > saliency.max():
            break
    goal, block, price = np.concatenate(found, axis=1)
    return csr_matrix((price + 2.0, (goal.astype(int), block.astype(int))), shape=(len(places),) * 2)


def _match(offers: csr_matrix, places: np.ndarray) -> np.ndarray:
    order, blocks = min_weight_full_bipartite_matching(offers[places])
    return np.asarray(blocks)[np.argsort(order)]
