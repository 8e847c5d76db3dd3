"""The beta distribution, and what intervals need of the gamma distribution, Student's t and Fisher's F."""

import math

_STEPS_MAX = 10_000
_TINY = 1e-300
_PRECISION = 1e-14
_LEAST_LOG = -600.0
_STEADY = 1e6  # shape of a gamma variate that is as good as its mean


def beta_share(x: float, a: float, b: float) -> float:
    """Return the probability that a beta variate lies below x: the regularised incomplete beta function.

    By its continued fraction (Lentz's way; Abramowitz and Stegun 1964, 26.5.8).

    Args:
        x: in [0, 1].
        a: above 0.
        b: above 0.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / a * _fraction(x, a, b)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the x below which a beta variate lies with this probability, to 1e-12.

    Newton's steps, and halves of what is left where one leads out of it.
    """
    low, high, x = 0.0, 1.0, a / (a + b)
    log_whole = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    while high - low > 1e-12:
        apart = beta_share(x, a, b) - probability
        if apart < 0:
            low = x
        else:
            high = x
        log_density = log_whole + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x)
        step = apart * math.exp(-log_density) if log_density > _LEAST_LOG else math.inf
        following = x - step
        if abs(step) < 1e-13:
            return x
        x = following if low < following < high else (low + high) / 2
    return (low + high) / 2


def exact_limits(hits: int, total: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper and Pearson, Biometrika 1934;26:404-413)."""
    tail = (1 - confidence) / 2
    low = beta_quantile(tail, hits, total - hits + 1) if hits else 0.0
    high = beta_quantile(1 - tail, hits + 1, total - hits) if hits < total else 1.0
    return low, high


def gamma_quantile(probability: float, mean: float, variance: float) -> float:
    """Return the value below which a gamma variate lies with this probability, to three digits.

    As the limit of a ratio of gamma variates whose lower one hardly varies.

    Args:
        probability: in (0, 1).
        mean: above 0.
        variance: above 0.
    """
    share = beta_quantile(probability, mean**2 / variance, _STEADY)
    return variance / mean * _STEADY * share / (1 - share)


def student_limit(degrees: float, *, confidence: float = 0.95) -> float:
    """Return the value that Student's t exceeds on either side in no more than 1 - confidence of all draws.

    Args:
        degrees: of freedom, above 0, need not be a whole number (Abramowitz and Stegun 1964, 26.7.1).
        confidence: in (0, 1).
    """
    share = beta_quantile(1 - confidence, degrees / 2, 0.5)
    return math.sqrt(degrees * (1 / share - 1))


def fisher_tail(ratio: float, above: float, below: float) -> float:
    """Return how probable a larger ratio of mean squares is: the upper tail of Fisher's F.

    Args:
        ratio: at least 0.
        above: degrees of freedom of the numerator, above 0 (Abramowitz and Stegun 1964, 26.6.2).
        below: of the denominator, need not be a whole number.
    """
    return beta_share(below / (below + above * ratio), below / 2, above / 2)


def _fraction(x: float, a: float, b: float) -> float:
    upper, lower = 1.0, 1 - (a + b) * x / (a + 1)
    lower = 1 / (lower if abs(lower) > _TINY else _TINY)
    result = lower
    for step in range(1, _STEPS_MAX):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            lower = 1 + term * lower
            lower = 1 / (lower if abs(lower) > _TINY else _TINY)
            upper = 1 + term / upper
            upper = upper if abs(upper) > _TINY else _TINY
            result *= upper * lower
        if abs(upper * lower - 1) < _PRECISION:
            break
    return result
