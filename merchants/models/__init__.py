"""What Pave answers: merchants, the questions asked, and the answers remembered."""

from merchants.models.catalogue import Alias, Merchant, Revision, Rule, Ruleset
from merchants.models.feedback import Feedback
from merchants.models.request import (
    Batch,
    BatchQuerySet,
    NormalizationRequest,
    NormalizationRequestQuerySet,
)
from merchants.models.resolution import KEY_LENGTH, METHODS, Resolution, ResolutionQuerySet

__all__ = [
    "KEY_LENGTH",
    "METHODS",
    "Alias",
    "Batch",
    "BatchQuerySet",
    "Feedback",
    "Merchant",
    "NormalizationRequest",
    "NormalizationRequestQuerySet",
    "Resolution",
    "ResolutionQuerySet",
    "Revision",
    "Rule",
    "Ruleset",
]
