"""Strips phone numbers, web addresses and postcodes off the end of a descriptor."""

import re

from merchants.matching.descriptor.location import Location

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
# Characters from the end that are searched, so that no text takes long.
_MAX_PHONE_LENGTH = 32
_MAX_URL_LENGTH = 80
_MAX_POSTCODE_LENGTH = 11
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


def strip_contact(location: Location, postcodes: bool = False) -> Location:
    """Strip phone numbers, addresses and, with `postcodes`, postcodes off the end, in any order."""
    name, phone, domain, cut_domain = (
        location.name,
        location.phone,
        location.domain,
        location.cut_domain,
    )
    postal_code = location.postal_code
    while True:
        previous = name
        if set(name[-4:-1]) <= _PHONE_CHARACTERS and (
            match := _PHONE.search(name, len(name) - _MAX_PHONE_LENGTH)
        ):
            phone, name = phone or match[0].strip(), name[: match.start()].rstrip(" ,*")
            name = _PHONE_LABEL.sub("", name)
        elif (match := _URL.search(name, len(name) - _MAX_URL_LENGTH)) and (
            match.start() > 0 and name[: match.start()].strip()
        ):
            if not name[match.start() - 1].isspace() and name[match.start() - 1] not in "*,;":
                break
            address = match[0]
            full_domain = DOMAIN.match(address)
            cut_domain_match = _HTTPS_CUT.match(address)
            domain = domain or (full_domain[1].lower() if full_domain else "")
            cut_domain = cut_domain or (
                cut_domain_match[1] if cut_domain_match and not full_domain else ""
            )
            name = name[: match.start()].rstrip(" ,*")
        elif (
            postcodes
            and (match := POSTCODE.search(name, len(name) - _MAX_POSTCODE_LENGTH))
            and match.start() > 3
        ):
            postal_code = postal_code or match[0].strip()
            name = name[: match.start()].rstrip(" ,")
        if name == previous or not name:
            break
    if name == location.name or not name:
        return location
    return location._replace(
        name=name, phone=phone, domain=domain, cut_domain=cut_domain, postal_code=postal_code
    )
