"""Takes phone numbers, web addresses and postcodes off the end of a descriptor."""

import re

from merchants.matching.descriptor.place import Place

_PHONE = re.compile(
    r"""(?:^|(?<=[\s*:])|(?<=[A-Z#]))(?:
      \+\d[\d\s().-]{7,16}\d | \(\d{3}\)\s?\d{3}-?\d{4} | (?:1[-. ]?)?[2-9X]\d\d[-.]\d{3}[-.]?\d{4}
    | [2-9]\d{2}[-.]\d{7} | 0\d{2,4}[- ](?:\d{6,8}|\d{3,4}[- ]\d{3,4}) | [0X]\d{9,10}
    | [2-9]\d{9}
    | [0-9X]{3}-[0-9X]{2}\d{3,8} | X{3,12}[-X]{0,12}\d{4,8} | 00\d{9,13}
    | 1[38]00[- ]?\d{3}[- ]?\d{3} | \d{3}-\d{3}-\d{3,4}
    )$""",
    re.VERBOSE | re.IGNORECASE,
)
_PHONE_LABEL = re.compile(r"(?<=\S)\s(?:TEL|PHONE|PH|FON|TELEFON)[.:]?$", re.IGNORECASE)
# Only so many characters from the end are searched: a search must not take long on any text.
_LONGEST_PHONE = 32
_LONGEST_URL = 80
_LONGEST_POSTCODE = 11
_PHONE_CHARACTERS = frozenset("Xx0123456789-. ")
_TLDS = (
    "COM|NET|ORG|EDU|GOV|INFO|BIZ|IO|CO|APP|DEV|AI|TV|ME|SHOP|STORE|ONLINE|CLUB|LIVE|EU|US|UK|DE|FR"
    "|NL|ES|IT|AT|CH|BE|SE|NO|DK|FI|PL|PT|IE|CZ|CA|AU|NZ|JP|BR|MX|IN|RU|GR|HU|RO|SG|HK|TR|ZA|CC|FM"
    "|GG|LY|TO|SO|GL|BANK|TRAVEL|CLOUD|XYZ|SITE|TECH|LU|LV|LT|EE|SI|SK|HR|BG|CO\\.UK|COM\\.AU"
)
_URL = re.compile(
    r"(?:HTTP\S++|WWW\.\S++|(?<![A-Z0-9-])(?<![A-Z0-9-]\.)(?:[A-Z0-9-]++\.)+"
    rf"(?:{_TLDS})\.?(?:/\S*+)?)$",
    re.IGNORECASE,
)
DOMAIN = re.compile(
    rf"(?:HTTPS?:?/*)?(?:WWW\.)?((?:[A-Z0-9-]++\.)+(?:{_TLDS}))\b(?!\.\w)", re.IGNORECASE
)
_HTTPS_CUT = re.compile(r"HTTPS?(?::?/+)?([A-Z0-9-]{4,})$", re.IGNORECASE)
POSTCODE = re.compile(
    r"(?:^|\s)(?:\d{5}(?:-\d{4})?|[A-Z]\d[A-Z]\s?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}"
    r"|\d{4}\s?[A-Z]{2}|\d{2}-\d{3}|\d{5}-?\d{3})$",
    re.IGNORECASE,
)


def strip_contact(place: Place, postcodes: bool = False) -> Place:
    """Take phone numbers and addresses, and postcodes if asked, off the end, in any order."""
    name, phone, domain, hint = place.name, place.phone, place.domain, place.hint
    postal_code = place.postal_code
    while True:
        before = name
        if set(name[-4:-1]) <= _PHONE_CHARACTERS and (
            found := _PHONE.search(name, len(name) - _LONGEST_PHONE)
        ):
            phone, name = phone or found[0].strip(), name[: found.start()].rstrip(" ,*")
            name = _PHONE_LABEL.sub("", name)
        elif (found := _URL.search(name, len(name) - _LONGEST_URL)) and (
            found.start() > 0 and name[: found.start()].strip()
        ):
            if not name[found.start() - 1].isspace() and name[found.start() - 1] not in "*,;":
                break
            address = found[0]
            whole = DOMAIN.match(address)
            cut = _HTTPS_CUT.match(address)
            domain = domain or (whole[1].lower() if whole else "")
            hint = hint or (cut[1] if cut and not whole else "")
            name = name[: found.start()].rstrip(" ,*")
        elif (
            postcodes
            and (found := POSTCODE.search(name, len(name) - _LONGEST_POSTCODE))
            and found.start() > 3
        ):
            postal_code = postal_code or found[0].strip()
            name = name[: found.start()].rstrip(" ,")
        if name == before or not name:
            break
    if name == place.name or not name:
        return place
    return place._replace(name=name, phone=phone, domain=domain, hint=hint, postal_code=postal_code)
