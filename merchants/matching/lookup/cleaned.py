"""Answers without the catalogue: the cleaned name as it is printed, or that there is none."""

from merchants.matching.descriptor.parser import Descriptor, is_noise


def no_merchant(descriptor: Descriptor) -> bool:
    """Whether nothing but the bank's own words and numbers are left."""
    return not descriptor.domain and is_noise(descriptor.text)


def cleaned_confidence(descriptor: Descriptor, country: str) -> float:
    """How often a cleaned name of this kind is the merchant's name (0 to 1)."""
    sure = 0.7
    if descriptor.intermediary:
        sure += 0.08
    if country:
        sure += 0.05
    if descriptor.truncated:
        sure -= 0.1
    return round(sure, 2)
