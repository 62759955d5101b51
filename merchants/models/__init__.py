"""Pave's rows: merchants, rulesets, clients' requests and their resolutions."""

from merchants.models.catalogue import Alias, Merchant, Revision, Rule, Ruleset
from merchants.models.feedback import Feedback
from merchants.models.request import (
    SENT_FIELDS,
    AdmissionClaim,
    Batch,
    BatchQuerySet,
    NormalizationRequest,
    NormalizationRequestQuerySet,
)
from merchants.models.resolution import (
    KEY_LENGTH,
    HeuristicUse,
    Resolution,
    ResolutionQuerySet,
    Waiter,
)

__all__ = [
    "KEY_LENGTH",
    "SENT_FIELDS",
    "AdmissionClaim",
    "Alias",
    "Batch",
    "BatchQuerySet",
    "Feedback",
    "HeuristicUse",
    "Merchant",
    "NormalizationRequest",
    "NormalizationRequestQuerySet",
    "Resolution",
    "ResolutionQuerySet",
    "Revision",
    "Rule",
    "Ruleset",
    "Waiter",
]
