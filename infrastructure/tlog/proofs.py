"""The Merkle tree of RFC 6962: hashes, proofs and their verification. Pure."""

from collections.abc import Callable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""Returns the hash of the perfect subtree of 2**level leaves at a level and an index."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's text."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes whose count is a power of two."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def tree_hash(begin: int, end: int, subtree: Subtree) -> bytes:
    """The hash of the leaves from `begin` up to, without, `end`; `begin` fits their count."""
    count = end - begin
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return subtree(level, begin >> level)
    middle = begin + _split(count)
    return node_hash(tree_hash(begin, middle, subtree), tree_hash(middle, end, subtree))


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of `size` leaves, the leaf's first."""
    begin, end = 0, size
    path: list[bytes] = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(tree_hash(middle, end, subtree))
            end = middle
        else:
            path.append(tree_hash(begin, middle, subtree))
            begin = middle
    return path[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """The hashes that show that the tree of `old` leaves, at least 1, begins that of `new`."""
    begin, end = 0, new
    path: list[bytes] = []
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(tree_hash(middle, end, subtree))
            end = middle
        else:
            path.append(tree_hash(begin, middle, subtree))
            begin = middle
    if begin:  # Otherwise the verifier knows the old root already.
        path.append(tree_hash(begin, end, subtree))
    return path[::-1]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path proves that a leaf hash stands at `index` in the tree with this root."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(step, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether a path proves that the old tree begins the new one. An empty tree begins any."""
    if old in (0, new):
        return not path and (old == 0 or old_root == new_root)
    if not 0 < old < new:
        return False
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    left = right = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            left, right = node_hash(step, left), node_hash(step, right)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            right = node_hash(right, step)
        node, last = node >> 1, last >> 1
    return last == 0 and left == old_root and right == new_root


def _split(count: int) -> int:
    """The largest power of two below a count above 1."""
    return 1 << ((count - 1).bit_length() - 1)
