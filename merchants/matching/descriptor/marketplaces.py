"""Marketplaces, where third parties sell online, as their names are printed."""

from merchants.matching.text.normalize import words_of

# Marketplace -> what it prints.
MARKETPLACES = {
    "Amazon": """amzn mktp, amzn mktplace, amznmktplace, amazon mktp, amazon mktplace,
    amazon marketplace, amzn marketplace, amazon mktpl, amazon mktplc, amznmktp""",
    "eBay": "ebay, ebaycom, ebay o",
    "Etsy": "etsy, etsycom",
    "Vinted": "vinted",
    "Depop": "depop",
    "Poshmark": "poshmark",
    "StockX": "stockx",
    "AliExpress": "aliexpress, aliexpresscom",
    "Allegro": "allegro, allegropl",
    "Mercado Libre": "mercadolibre, mercado libre, mercadolivre, mercado livre",
    "Shopee": "shopee",
    "Lazada": "lazada",
    "Mercari": "mercari",
    "Wallapop": "wallapop",
    "leboncoin": "leboncoin",
    "TikTok Shop": "tiktok shop",
}
_FIRST_LETTERS = 24  # more than the longest phrase has
_PHRASES = tuple(
    f"{' '.join(words_of(phrase))} "
    for phrases in MARKETPLACES.values()
    for phrase in phrases.split(",")
)


def begins_with_marketplace(text: str) -> bool:
    """Whether the text begins with a marketplace: `EBAY O*25-13995`."""
    return f"{' '.join(words_of(text[:_FIRST_LETTERS]))} ".startswith(_PHRASES)
