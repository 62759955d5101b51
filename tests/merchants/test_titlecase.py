"""Names as their merchants write them."""

import pytest

from merchants.matching.text.segmentation import segment
from merchants.matching.text.titlecase import title_case


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("O'REILLY AUTO PARTS", "O'Reilly Auto Parts"),
        ("H&M", "H&M"),
        ("B & Q", "B & Q"),
        ("7-ELEVEN", "7-Eleven"),
        ("BP", "BP"),
        ("CAFE DE FLORE", "Café de Flore"),
        ("CAFE VIDA", "Cafe Vida"),
        ("TRADER JOE S", "Trader Joe's"),
        ("MCCONNELL'S FINE ICE", "McConnell's Fine Ice"),
        ("THE ROOST", "The Roost"),
        ("CAFE AT THE SUMMIT", "Cafe at the Summit"),
        ("ROCKY MTN CHOCOLATE", "Rocky Mtn Chocolate"),
        ("MR PIZZA MAN", "Mr. Pizza Man"),
        ("24 HOUR FITNESS", "24 Hour Fitness"),
        ("BAECKEREI SCHMITZ", "Bäckerei Schmitz"),
        ("D'ANGELO & SONS", "D'Angelo & Sons"),
        ("Brilliant Earth", "Brilliant Earth"),
        ("aliexpress", "Aliexpress"),
        ("ŻABKA", "Żabka"),
        ("中国银行", "中国银行"),
        ("1234", "1234"),
        ("", ""),
    ],
)
def test_a_cleaned_descriptor_becomes_a_name(text: str, name: str) -> None:
    assert title_case(text) == name


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("TENANTEVALUATION", "TENANT EVALUATION"),
        ("HARVESTTABLEKITCHEN", "HARVEST TABLE KITCHEN"),
        ("HONEYHOUSE", "HONEYHOUSE"),
        ("XQZTRBLKMNPWV", "XQZTRBLKMNPWV"),
    ],
)
def test_long_words_without_blanks_are_split(word: str, words: str) -> None:
    assert segment(word) == words
