"""Computes, without the crate, the rows that `the_split_of_a_seed_never_changes` and
`seeds_decide_and_repeat_the_split` expect, and those of `the_split_of_many_classes_never_changes` and
`the_split_of_any_number_of_classes_never_changes`.

ChaCha with 8 rounds, a 64-bit block counter and a 64-bit stream; Lemire's bounded numbers;
Fisher-Yates from the end. Run it with `python3 tests/pinned_split.py` and compare.
"""

import struct

MASK = 0xFFFFFFFF


def rotate(x, n):
    return ((x << n) | (x >> (32 - n))) & MASK


def quarter(s, a, b, c, d):
    s[a] = (s[a] + s[b]) & MASK
    s[d] = rotate(s[d] ^ s[a], 16)
    s[c] = (s[c] + s[d]) & MASK
    s[b] = rotate(s[b] ^ s[c], 12)
    s[a] = (s[a] + s[b]) & MASK
    s[d] = rotate(s[d] ^ s[a], 8)
    s[c] = (s[c] + s[d]) & MASK
    s[b] = rotate(s[b] ^ s[c], 7)


def words(key, stream):
    block = 0
    while True:
        start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
        start += struct.unpack("<8I", key)
        start += [block & MASK, block >> 32, stream & MASK, stream >> 32]
        state = list(start)
        for _ in range(4):
            quarter(state, 0, 4, 8, 12)
            quarter(state, 1, 5, 9, 13)
            quarter(state, 2, 6, 10, 14)
            quarter(state, 3, 7, 11, 15)
            quarter(state, 0, 5, 10, 15)
            quarter(state, 1, 6, 11, 12)
            quarter(state, 2, 7, 8, 13)
            quarter(state, 3, 4, 9, 14)
        yield from ((a + b) & MASK for a, b in zip(state, start))
        block += 1


def below(numbers, bound):
    while True:
        product = next(numbers) * bound
        if product & MASK >= 2**32 % bound:
            return product >> 32


def split(labels, seed):
    numbers = words(struct.pack("<Q8s16x", seed, b"split"), 0)
    parts = {"test": [], "validation": [], "train": []}
    for label in (0, 1):
        rows = [row for row, of in enumerate(labels) if of == label]
        n_held_out = int(len(rows) * 0.1 + 0.5)
        for last in range(len(rows) - 1, 0, -1):
            other = below(numbers, last + 1)
            rows[last], rows[other] = rows[other], rows[last]
        parts["test"] += rows[:n_held_out]
        parts["validation"] += rows[n_held_out : 2 * n_held_out]
        parts["train"] += rows[2 * n_held_out :]
    return {part: sorted(rows) for part, rows in parts.items()}


def grouped(labels, groups, seed, shares=(0.8, 0.1, 0.1)):
    """Assigns whole groups, in shuffled order, each to the part that needs it most."""
    numbers = words(struct.pack("<Q8s16x", seed, b"split"), 0)
    by_group = {}
    for row, group in enumerate(groups):
        by_group.setdefault(group, []).append(row)
    order = [by_group[group] for group in sorted(by_group)]
    for last in range(len(order) - 1, 0, -1):
        other = below(numbers, last + 1)
        order[last], order[other] = order[other], order[last]
    targets = [[share * labels.count(label) for label in (0, 1)] for share in shares]
    counts = [[0, 0] for _ in shares]
    parts = [[] for _ in shares]
    for rows in order:
        more = [sum(labels[row] == label for row in rows) for label in (0, 1)]
        cost = [
            sum(m * (m + 2 * (c - t)) / t for m, c, t in zip(more, counts[part], targets[part]))
            for part in range(3)
        ]
        best = cost.index(min(cost))
        counts[best] = [c + m for c, m in zip(counts[best], more)]
        parts[best] += rows
    return dict(zip(("train", "validation", "test"), map(sorted, parts)))


def many(labels, n_classes, seed):
    """Shares the rows of each of several classes; what rounding leaves over goes to the next class."""
    numbers = words(struct.pack("<Q8s16x", seed, b"split"), 0)
    parts = {"test": [], "validation": [], "train": []}
    left_over = [0.0, 0.0]
    for label in range(n_classes):
        rows = [row for row, of in enumerate(labels) if of == label]
        exact = len(rows) * 0.1
        given = [min(int(exact + rest + 0.5), int(exact) + 1) for rest in left_over]
        given[0] = min(given[0], len(rows))
        given[1] = min(given[1], len(rows) - given[0])
        if rows and sum(given) == len(rows):
            given[0 if given[0] > given[1] else 1] -= 1
        left_over = [min(max(exact + r - g, -0.5), 1.0) for r, g in zip(left_over, given)]
        shuffle(rows, numbers)
        parts["test"] += rows[: given[0]]
        parts["validation"] += rows[given[0] : sum(given)]
        parts["train"] += rows[sum(given) :]
    return {part: sorted(rows) for part, rows in parts.items()}


def any_of(targets, n_classes, seed, shares=(0.8, 0.1, 0.1)):
    """Iterative stratification: rows of the rarest class first, each to the part that lacks it most."""
    numbers = words(struct.pack("<Q8s16x", seed, b"split"), 0)
    left = list(range(len(targets)))
    shuffle(left, numbers)
    lacks_rows = [len(left) * share for share in shares]
    lacks = [[sum(c in of for of in targets) * share for share in shares] for c in range(n_classes)]
    in_training = set()
    parts = [[], [], []]

    def most(key):
        best = [part for part in range(3) if key(part) == max(map(key, range(3)))]
        return best[0] if len(best) == 1 else best[below(numbers, len(best))]

    def give(row, part):
        parts[part].append(row)
        left.remove(row)
        lacks_rows[part] -= 1
        for c in targets[row]:
            lacks[c][part] -= 1
            if part == 0:
                in_training.add(c)

    while True:
        n_left = {c: sum(c in targets[row] for row in left) for c in range(n_classes)}
        rarest = min((n, c) for c, n in n_left.items() if n) if any(n_left.values()) else None
        if rarest is None:
            break
        for row in [row for row in left if rarest[1] in targets[row]]:
            n_left = {c: sum(c in targets[row] for row in left) for c in targets[row]}
            if any(n == 1 and c not in in_training for c, n in n_left.items()):
                give(row, 0)
            else:
                give(row, most(lambda part: (lacks[rarest[1]][part], lacks_rows[part])))
    for row in list(left):
        give(row, most(lambda part: lacks_rows[part]))
    return dict(zip(("train", "validation", "test"), map(sorted, parts)))


def shuffle(rows, numbers):
    for last in range(len(rows) - 1, 0, -1):
        other = below(numbers, last + 1)
        rows[last], rows[other] = rows[other], rows[last]


if __name__ == "__main__":
    for part, rows in split([int(row % 3 == 0) for row in range(40)], 42).items():
        print(part, rows)
    print("grouped:")
    for part, rows in grouped([row % 2 for row in range(40)], [row // 4 for row in range(40)], 7).items():
        print(part, rows)
    print("many classes:")
    for part, rows in many([row * row % 7 for row in range(60)], 7, 5).items():
        print(part, rows)
    print("any number of classes:")
    some = [[c for c in range(4) if (row + 1) * (c + 3) % 5 == 0 or row % (c + 2) == 1] for row in range(50)]
    for part, rows in any_of(some, 4, 9).items():
        print(part, rows)
