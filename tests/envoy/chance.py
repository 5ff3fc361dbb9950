"""What chance may do to a share."""

import math


def within_5_sigma(hits, total, share):
    return abs(hits - total * share) <= 5 * math.sqrt(total * share * (1 - share))
