"""The auction in plain tensor operations: any device, no value is read by the host.

All moves that pay are listed, block after block, nearest first. An image's saliency sums to 1, which bounds the
length of its list before it is known: by some nine times the number of blocks at a cost of 0.8.
"""

import math

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from multimix.puzzle.moves import Moves


def transport_batched(
    kept: Tensor,
    whole: int,
    saliency: Float[Tensor, "B h w"],
    sample: Int64[Tensor, "P"],
    partner: Int64[Tensor, "P"],
    cost: float,
    table: Moves,
) -> Int32[Tensor, "K P 2 places"]:
    """As `transport` with the rule `"auction"`."""
    device = saliency.device
    height, width = saliency.shape[1:]
    down, right, price = (torch.from_numpy(a).to(device, non_blocking=True) for a in table[:3])
    amount = saliency.float().flatten(1)
    length = _longest_list(height, width, cost, len(table.price))
    place, bid, first, end = _offers(amount, down, right, price, length, height, width)

    images = torch.stack([sample, partner], dim=1).flatten()  # (2P): both images of each pair
    share = kept.repeat_interleave(height // kept.shape[2], 2).repeat_interleave(width // kept.shape[3], 3)
    visible = torch.stack([share > 0, share < whole], dim=2).view(len(kept), len(images), height * width)
    place, bid, first, end = (t[images].expand(len(kept), -1, -1) for t in (place, bid, first, end))
    source = _auction(visible, place, bid, first, end, table.rounds)
    return source.view(len(kept), len(sample), 2, -1).int()


def _longest_list(height: int, width: int, cost: float, moves: int) -> int:
    """More than the number of paying moves of any image with a saliency of sum 1.

    There are at most pi (r + 0.71)^2 blocks within a distance r, and r^2 of a block is (side - 1)^2 / cost times its
    saliency; the sum of the r follows from that of the r^2.
    """
    blocks = height * width
    if cost == 0:
        return blocks * moves
    squared = 1.001 * (max(height, width, 2) - 1) ** 2 / cost
    points = math.pi * squared + 4.4429 * math.sqrt(blocks * squared) + 1.5708 * blocks
    return min(math.ceil(points), blocks * moves)


def _offers(
    amount: Tensor, down: Tensor, right: Tensor, price: Tensor, length: int, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Per image: the place of each offer (outside: the number of blocks), its bid; each block's first, and last + 1."""
    blocks = height * width
    count = torch.searchsorted(price, amount)
    end = count.cumsum(1)
    first = end - count
    at = torch.arange(length, device=amount.device).expand(len(amount), length)
    block = torch.searchsorted(end, at.contiguous(), right=True).clamp(max=blocks - 1)
    move = (at - first.gather(1, block)).clamp(0, len(price) - 1)
    r, c = block // width + down[move], block % width + right[move]
    inside = (r >= 0) & (r < height) & (c >= 0) & (c < width) & (at < end[:, -1:])
    return torch.where(inside, r * width + c, blocks), price[move] - amount.gather(1, block), first, end


def _auction(
    visible: Tensor, place: Tensor, bid: Tensor, first: Tensor, end: Tensor, rounds: int
) -> Int64[Tensor, "K P2 places"]:
    """Each block holds one offer of its list, or none is left; those beaten go on to their next."""
    *shape, blocks = visible.shape
    length = place.shape[-1]
    shown = torch.cat([visible, visible.new_zeros(*shape, 1)], -1).gather(-1, place)
    index = torch.arange(length, device=place.device)
    following = torch.where(shown, index, length).flip(-1).cummin(-1).values.flip(-1)
    following = torch.cat([following, following.new_full((*shape, 1), length)], -1)
    number = torch.arange(blocks, device=place.device).expand_as(first)
    nobody = torch.full((*shape, blocks + 1), blocks, device=place.device)
    lowest = torch.full((*shape, blocks + 1), torch.inf, device=place.device)
    offer, wins = first, torch.zeros_like(first, dtype=torch.bool)
    goal = torch.full_like(first, blocks)
    for _ in range(rounds):
        offer = torch.where(wins, offer, following.gather(-1, offer))
        asks = offer < end
        at = offer.clamp(max=length - 1)
        goal = torch.where(asks, place.gather(-1, at), blocks)
        price = torch.where(asks, bid.gather(-1, at), torch.inf)
        best = lowest.scatter_reduce(-1, goal, price, "amin").gather(-1, goal)
        equal = torch.where(asks & (price == best), number, blocks)
        wins = asks & (nobody.scatter_reduce(-1, goal, equal, "amin").gather(-1, goal) == number)
        offer = torch.where(wins | ~asks, offer, offer + 1)
    own = torch.arange(blocks + 1, device=place.device).expand_as(nobody)
    return own.scatter(-1, torch.where(wins, goal, blocks), number)[..., :blocks]
