"""Payment processors that print their name before the merchant's.

Marketplaces and delivery services (DoorDash, Uber Eats, Instacart) are merchants and not listed.
"""

import re
from typing import NamedTuple

from merchants.matching.text.word_lists import word_set

# Where a new processor goes; and to ``_UNSTARRED`` if it prints no star, to ``ONLINE`` if only web
# shops use it.
# Processor -> what it prints before a star; compared without spaces, punctuation and case.
STARRED: dict[str, str] = {
    "Square": "SQ GOSQ SQU SQUARE SQUAREUP",
    "Toast": "TST TOAST",
    "PayPal": "PAYPAL PP PYPL PAYPALINST PAYPALEUROPE",
    "Shopify": "SP SHOPIFY SHOP SHOPPAY",
    "SumUp": "SUMUP SUMUPCO SMU",
    "Stripe": "STRIPE ST STRP",
    "Zettle": "IZ IZETTLE ZETTLE ZTL ZET",
    "Adyen": "ADYEN ADY",
    "Klarna": "KLARNA KLRNA",
    "Afterpay": "AFTERPAY CLEARPAY",
    "Affirm": "AFFIRM",
    "Mollie": "MOLLIE",
    "Worldline": "WL WORLDLINE SIX",
    "Braintree": "BT BRAINTREE",
    "Clover": "CLV CLOVER CLR",
    "SpotOn": "SPO SPOTON",
    "Cantaloupe": "CTLP USAT CANTALOUPE USATECH",
    "CMS Vending": "CMSVEND",
    "Nayax": "NYX NAYAX NYAX",
    "Paya": "PY PAYA",
    "CKE": "CKE",
    "UEP": "UEP",
    "FareHarbor": "FH FAREHARBOR",
    "Eventbrite": "EB EVENTBRITE",
    "FastSpring": "FS FSPRG FASTSPRING",
    "2Checkout": "2CO 2CHECKOUT 2COCOM TWOCHECKOUT",
    "Paddle": "PADDLE PADDLENET PADDLECOM",
    "WePay": "WPY WEPAY",
    "Lightspeed": "LS LSPD LIGHTSPEED",
    "Shift4": "SHIFT4 S4",
    "Heartland": "HPS HRTLND",
    "GoCardless": "GC GOCARDLESS GOCARDLES",
    "Mindbody": "MB MINDBODY MBO",
    "Venmo": "VENMO VEN",
    "Cash App": "CASHAPP",
    "Wix": "WIX WIXCOM",
    "Digital River": "DRI DIGITALRIVER",
    "Xsolla": "XSOLLA",
    "Cleverbridge": "CLEVERBRIDGE CBI",
    "Mercado Pago": "MP MPAGO MERPAGO MERCPAGO MERCADOPAGO MELI",
    "PagSeguro": "PAG PAGSEGURO PG",
    "PicPay": "PICPAY",
    "EBANX": "EBANX EBN",
    "dLocal": "DL DLO DLOCAL",
    "PayU": "PAYU",
    "Razorpay": "RAZ RZP RAZORPAY",
    "Paytm": "PAYTM",
    "iyzico": "IYZICO",
    "Przelewy24": "P24 PRZELEWY24",
    "myPOS": "MYPOS",
    "Viva Wallet": "VIVA VIVAWALLET",
    "Dojo": "DOJO",
    "Tyro": "TYRO",
    "Windcave": "WINDCAVE",
    "Redsys": "REDSYS",
    "Satispay": "SATISPAY",
    "Ko-fi": "KOFI",
    "Bill.com": "BILLCOM",
    "Chargebee": "CHARGEBEE",
    "BlueSnap": "BLS BLUESNAP",
    "Olo": "OLO",
    "ChowNow": "CHOWNOW CN",
    "Resy": "RESY",
    "BigCommerce": "BC",
    "Amazon Pay": "AMZPAY AMAZONPAY",
    "Google Play": "GOOGLEPLAY",
    "Recurly": "RECURLY",
    "GlobalPayments": "GPI GLB",
    "Vagaro": "VAGARO",
    "Glofox": "GLOFOX",
    "Payplus": "PAYPLUS",
    "Opayo": "SAGEPAY OPAYO",
    "PayPoint": "PAYPOINT",
    "Freedompay": "FDP",
    "Vipps": "VIPPS",
    "MobilePay": "MOBILEPAY",
    "Swish": "SWISH",
}

# Processor -> regular expression, without groups, of what it prints without a star.
_UNSTARRED: dict[str, str] = {
    "PayPal": r"PAYPAL(?:\s+(?:INST(?:ANT)?\s+(?:XFER|TRANSFER)|EUROPE(?:\s+S\.?A\S*)?|PAYMENT"
    r"|PURCHASE|PTE\S*))?\s*[-:]?\s",
    "Shopify": r"SP\s(?=\S{2})",
    "Cash App": r"SQC\s(?=[A-Z])",
    "Square": r"(?:SQ|GOSQ\.COM)\s(?=[A-Z]{2})",
    "Toast": r"TST[-\s](?=[A-Z])",
    "SumUp": r"SUMUP\s\.?\s?",
    "Zettle": r"(?:I?ZETTLE(?:_|\s)|IZ\s)",
    "Stripe": r"STRIPE[-\s]",
    "Klarna": r"KLARNA\s(?=[A-Z])",
    "Mollie": r"(?:STG\s)?MOLLIE(?:\sPAYMENTS)?\s",
    "GoCardless": r"GOCARDLESS(?:\sLTD)?\s",
    "Buckaroo": r"(?:STICHTING\s)?BUCKAROO\s",
    "Adyen": r"ADYEN\s(?:N\.?V\.?\s)?",
    "CCV": r"CCV\s?\*\s?",
    "Mercado Pago": r"MERCADO\s?PAGO\s",
    "PhonePe": r"PHONEPE\s",
    "Razorpay": r"RAZORPAY\s",
    "Viva Wallet": r"VIVA\sWALLET\s",
    "Lightspeed": r"LS\s(?=[A-Z]{3})",
    "WorldPay": r"WORLDPAY\s(?=[A-Z])",
}

# Processors that only online shops use.
ONLINE = frozenset(
    {
        "2Checkout", "Affirm", "Amazon Pay", "BigCommerce", "BlueSnap", "Braintree", "Buckaroo",
        "Chargebee", "Cleverbridge", "Digital River", "EBANX", "Eventbrite", "FastSpring",
        "Google Play", "Klarna", "Ko-fi", "Paddle", "PayPal", "Przelewy24", "Recurly", "Shopify",
        "Stripe", "WePay", "Wix", "Xsolla", "dLocal",
    }
)  # fmt: skip
_BY_PREFIX = {prefix: name for name, prefixes in STARRED.items() for prefix in prefixes.split()}
_STARRED_PREFIX = re.compile(r"([A-Z0-9][A-Z0-9 .\-/]{0,22}?)\s?\*+\s*(?=\S)", re.IGNORECASE)
_UNSTARRED_NAMES = list(_UNSTARRED)
_UNSTARRED_PATTERN = re.compile(
    "|".join(f"({pattern})" for pattern in _UNSTARRED.values()), re.IGNORECASE
)
_SEPARATORS = str.maketrans("", "", " .-/")


class ProcessorSplit(NamedTuple):
    """The processor, if one is printed, and the text after it."""

    intermediary: str | None
    body: str
    offset: int  # characters stripped from the front
    code: str = ""  # what was stripped, if it is no known processor's
    is_unstarred: bool = False  # the processor is printed without a star


def split_intermediary(body: str) -> ProcessorSplit:
    """Split the payment processor off the front: `SQ *PHILZ COFFEE` gives Square, PHILZ COFFEE.

    A short unknown code before a star (`ZQR* BAR 51`) is stripped as well, without a name.
    A long word before a star is a merchant (`AIRBNB * HM4K`) and stays.
    """
    starred = _STARRED_PREFIX.match(body)
    if starred:
        prefix = starred[1].upper().translate(_SEPARATORS)
        name = _BY_PREFIX.get(prefix)
        rest = body[starred.end() :]
        if name is not None:
            repeated = _STARRED_PREFIX.match(rest)  # SQU*SQ *NAME
            if repeated and _BY_PREFIX.get(repeated[1].upper().translate(_SEPARATORS)) == name:
                return ProcessorSplit(name, rest[repeated.end() :], starred.end() + repeated.end())
            return ProcessorSplit(name, rest, starred.end())
        if 2 <= len(prefix) <= 3 and prefix not in _SHORT_MERCHANTS and rest[:1].isalpha():
            return ProcessorSplit(None, rest, starred.end(), prefix)
        return ProcessorSplit(None, body, 0)
    unstarred = _UNSTARRED_PATTERN.match(body)
    if unstarred and unstarred.lastindex and unstarred.end() < len(body):
        name = _UNSTARRED_NAMES[unstarred.lastindex - 1]
        return ProcessorSplit(name, body[unstarred.end() :], unstarred.end(), is_unstarred=True)
    return ProcessorSplit(None, body, 0)


# Short words before a star that are merchants themselves.
_SHORT_MERCHANTS = word_set(
    """BP EE O2 IKE KFC UPS DHL H3G HBO AWS APL EA NYT WSJ AA JD IFD SXM HLU ATT AT T X OF UBR
    NS GAP DNH WW AAA QVC HSN UBS"""
)
