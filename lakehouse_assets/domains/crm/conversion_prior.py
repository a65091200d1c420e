"""What an expert holds of any tenant's deals before the first one is closed.

Belongs here: the prior, each belief with its reason. Not here: how it is weighed against data (`models.logistic`).
"""

from __future__ import annotations

from lakehouse_assets.models.logistic import Effect, Prior


def expert_prior() -> Prior:
    """What is held of any tenant before its first closed deal.

    The typical case has some revenue, a few interactions, average engagement and its last contact two months ago. The
    sds are wide: about 40 leads outweigh them.
    """
    return Prior(
        base_rate=0.20,  # business deals are won at 20–30 %, and some of those take longer than 90 days
        base_rate_sd=1.0,  # so that 5–55 % is within reason
        effects=(
            Effect(
                feature="log1p_total_revenue",
                reference=5.0,
                mean=0.05,
                sd=0.05,
                reason="who has bought for 20,000 USD buys again with 1.6 times the odds of who has not",
            ),
            Effect(
                feature="log1p_total_interactions",
                reference=1.5,
                mean=0.20,
                sd=0.20,
                reason="ten times the interactions mean somewhat more interest, or only a longer sale",
            ),
            Effect(
                feature="engagement",
                reference=0.4,
                mean=1.0,
                sd=0.75,
                reason="recent calls with positive outcomes come before a purchase",
            ),
            Effect(
                feature="smoothed_win_rate",
                reference=0.3,
                mean=1.5,
                sd=1.0,
                reason="how the customer decided before is the best single sign of how it decides",
            ),
            Effect(
                feature="smoothed_conversion_rate",
                reference=0.2,
                mean=0.75,
                sd=1.0,
                reason="adds to the win rate how many leads stay undecided",
            ),
            Effect(
                feature="silent_months",
                reference=2.0,
                mean=-0.20,
                sd=0.15,
                reason="each month without contact takes about a fifth of the odds",
            ),
        ),
    )
