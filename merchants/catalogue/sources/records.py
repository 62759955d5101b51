"""The records that every source of merchants gives to the importer."""

import re
import unicodedata
from dataclasses import dataclass, field

from merchants.matching.categories import stored_word
from merchants.matching.text.uris import as_uri


@dataclass(frozen=True, slots=True)
class MerchantRecord:
    """One merchant as a source describes it.

    `key` is stable for a merchant of a source (a wikidata id, else a slug): ids derive from it.
    `mccs` are ISO 18245 codes, `countries` ISO 3166 alpha-2 codes (empty: anywhere), `aliases`
    other spellings of the name as descriptors print them.
    A `category` in the source's own words becomes the published list's, or that of the MCCs;
    addresses become URIs.
    """

    key: str
    name: str
    website: str = ""
    wikidata: str = ""
    mccs: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    category: str = ""
    logo_url: str = ""
    aliases: tuple[str, ...] = ()
    websites: dict[str, str] = field(default_factory=dict)  # of single countries (alpha-2)

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", stored_word(self.category, self.mccs))
        object.__setattr__(self, "website", as_uri(self.website))
        object.__setattr__(self, "logo_url", as_uri(self.logo_url))
        sites = {country: as_uri(site) for country, site in self.websites.items()}
        object.__setattr__(self, "websites", sites)

    @property
    def slug(self) -> str:
        return slugify(self.name)


def slugify(text: str) -> str:
    """`text` in lower case, accents dropped, letters and digits of any script joined by hyphens."""
    decomposed = unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold()
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    return re.sub(r"[\W_]+", "-", kept.replace("'", "").replace("’", "")).strip("-")
