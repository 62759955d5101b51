"""Staff's view of requests, merchants, rules and rulesets."""

from merchants.admin import batches, feedback, merchants, requests, resolutions, rules, rulesets

__all__ = ["batches", "feedback", "merchants", "requests", "resolutions", "rules", "rulesets"]
