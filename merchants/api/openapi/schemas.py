"""The objects about transactions and merchants, in the API's description."""

from merchants.api.batch_upload import CSV_COLUMNS
from merchants.api.representations import category_object
from merchants.api.serializers import (
    CITY_LENGTH,
    DESCRIPTION_LENGTH,
    METADATA_KEY_LENGTH,
    METADATA_PAIRS,
    METADATA_VALUE_LENGTH,
    REFERENCE_LENGTH,
)
from merchants.matching.booking.channel import CHANNELS
from merchants.matching.booking.counterparties import TYPES
from merchants.matching.booking.kind import KINDS
from merchants.matching.categories import all_categories
from merchants.models import METHODS, Batch, NormalizationRequest
from merchants.requests.batches import MAX_ERRORS
from pave.api.fields import COUNTRIES, CURRENCIES, mccs
from pave.api.openapi.registry import (
    array,
    identifier,
    moment,
    nullable,
    number,
    obj,
    one_of,
    page,
    ref,
    schemas,
    text,
)
from webhooks.models import Delivery

# No NUL, which no database stores; and, where something must be there, not white space alone.
ANY_TEXT = r"^[^\u0000]*$"
SOME_TEXT = r"^[^\u0000]*[^\u0000\s\u0085\u001c-\u001f][^\u0000]*$"

EXAMPLE = {
    "description": "SQ *BLUE BOTTLE COFFEE OAKLAND CA",
    "amount": "5.25",
    "currency": "USD",
    "date": "2026-11-20",
    "reference": "t-1",
}
NORMALIZATION_EXAMPLE = {
    "request_id": "01970f3e-9c1b-7c52-b0d4-6a4c1f3f9a10",
    "status": "completed",
    "created_at": "2026-11-20T09:30:00.120000Z",
    "completed_at": "2026-11-20T09:30:00.940000Z",
    "transaction": {**EXAMPLE, "mcc": None, "country": None, "city": None},
    "metadata": {},
    "merchant": {
        "id": "8f2b6c1e-5d4a-5e0b-9f3c-2a7d8e9b0c1d",
        "name": "Blue Bottle Coffee",
        "website": "https://bluebottlecoffee.com",
        "wikidata": "Q4928917",
        "mcc": "5814",
        "category": {"primary": "food_and_drink", "detailed": "cafe"},
        "logo_url": None,
    },
    "match": {
        "method": "catalogue",
        "confidence": 0.98,
        "descriptor": "BLUE BOTTLE COFFEE",
        "intermediary": "Square",
        "rule": None,
        "ruleset": 7,
    },
    "location": {
        "city": "Oakland",
        "region": "CA",
        "country": "US",
        "postal_code": None,
        "address": None,
        "store_number": None,
        "phone": None,
    },
    "kind": "purchase",
    "channel": "in_store",
    "counterparties": [
        {
            "type": "merchant",
            "name": "Blue Bottle Coffee",
            "id": "8f2b6c1e-5d4a-5e0b-9f3c-2a7d8e9b0c1d",
        },
        {"type": "processor", "name": "Square", "id": None},
    ],
    "error": None,
    "batch": None,
    "deliveries": [
        {
            "id": "01970f3e-9f00-7aa1-8a51-0f6f0a4f5c11",
            "webhook": "01970f00-1b2c-7d3e-8f40-5a6b7c8d9e0f",
            "status": "succeeded",
            "attempts": 1,
            "next_attempt_at": None,
        }
    ],
}
FINISHED = {name: NORMALIZATION_EXAMPLE[name] for name in NORMALIZATION_EXAMPLE}
del FINISHED["deliveries"]
QUEUED_EXAMPLE = {
    **NORMALIZATION_EXAMPLE,
    "status": "queued",
    "completed_at": None,
    **dict.fromkeys(("merchant", "match", "location", "kind", "channel", "counterparties")),
    "deliveries": [],
}
BATCH_EXAMPLE = {
    "id": "01970f40-11aa-7b00-9c00-1234567890ab",
    "status": "processing",
    "deliver": "batch",
    "created_at": "2026-11-20T09:31:00.000000Z",
    "completed_at": None,
    "counts": {
        "accepted": 2,
        "rejected": 1,
        "pending": 2,
        "completed": 0,
        "failed": 0,
        "canceled": 0,
        "corrected": 0,
    },
    "errors": [
        {
            "row": 3,
            "line": 4,
            "pointer": "/amount",
            "detail": 'Must be a decimal number, such as "12.99".',
        }
    ],
    "deliveries": [],
}

CATEGORIES_EXAMPLE = {
    "data": [category_object(category) for category in all_categories()[1:3]],
    "next_cursor": None,
    "previous_cursor": None,
}

_DESCRIPTION = text(
    "The descriptor, as the card network has it.",
    minLength=1,
    maxLength=DESCRIPTION_LENGTH,
    pattern=SOME_TEXT,
)
_AMOUNT = {
    "description": "A decimal number, best as a string: it comes back in the digits in which it "
    "came. In a JSON number no more than 8 decimals are kept.",
    "anyOf": [
        text(pattern="^-?[0-9]{1,12}(\\.[0-9]{1,8})?$"),
        number("number", exclusiveMinimum=-(10**12), exclusiveMaximum=10**12),
        {"type": "null"},
    ],
}
_DATE = nullable(text("The day of the transaction.", format="date"))

_PARTS = obj(
    {name: nullable(text()) for name in CSV_COLUMNS} | {"description": text()},
    description="The transaction as it was sent; null where a member was not.",
)
# Open lists: a client that is made from the description must not fail at a word that is new.
_CATEGORY = {
    "primary": text(
        "What it sells, roughly. More words may come: take one that is new to you as none.",
        **{"x-extensible-enum": list(dict.fromkeys(one.primary for one in all_categories()))},
    ),
    "detailed": text(
        "What it sells. More words may come: fall back on `primary` for one that is new to you.",
        **{"x-extensible-enum": [one.detailed for one in all_categories()]},
    ),
}
_MERCHANT_PART = obj(
    {
        "id": nullable(identifier("Its id in the catalogue; null: it is not in it.")),
        "name": text('The merchant\'s name; "n/a" where there is none in the text.'),
        "website": nullable(text(format="uri")),
        "wikidata": nullable(text("Its item in Wikidata.")),
        "mcc": nullable(text("Its merchant category code.")),
        "category": nullable(ref("MerchantCategory")),
        "logo_url": nullable(text(format="uri")),
    }
)
_MATCH = obj(
    {
        "method": one_of([method for method, _ in METHODS], "How it was found."),
        "confidence": number(
            "number", "The share of such answers that are right.", minimum=0, maximum=1
        ),
        "descriptor": text("The cleaned descriptor."),
        "intermediary": nullable(text("Who stood between, such as Square or PayPal.")),
        "rule": nullable(text("The rule that answered.")),
        "ruleset": number("integer", "The version of the rules and the catalogue."),
    }
)
_LOCATION = obj(
    {
        "city": nullable(text()),
        "region": nullable(text("As ISO 3166-2 has it behind the country.")),
        "country": nullable(text("ISO 3166-1 alpha-2.")),
        "postal_code": nullable(text()),
        "address": nullable(text()),
        "store_number": nullable(text()),
        "phone": nullable(text()),
    }
)
_COUNTERPARTY = obj(
    {
        "type": one_of(["merchant", *TYPES]),
        "name": nullable(text("Null for a person.")),
        "id": nullable(identifier("The merchant's, if it is in the catalogue.")),
    }
)
_METADATA = {
    "type": "object",
    "additionalProperties": text(maxLength=METADATA_VALUE_LENGTH, pattern=ANY_TEXT),
    "propertyNames": {"minLength": 1, "maxLength": METADATA_KEY_LENGTH, "pattern": ANY_TEXT},
    "maxProperties": METADATA_PAIRS,
}
_NORMALIZATION = {
    "request_id": identifier(),
    "status": one_of(NormalizationRequest.Status.values),
    "created_at": moment(),
    "completed_at": nullable(moment("When it got its end.")),
    "transaction": _PARTS,
    "metadata": {
        **_METADATA,
        "description": "As it was sent, but for card numbers: they are masked.",
    },
    "merchant": {**nullable(_MERCHANT_PART), "description": "Null until it is completed."},
    "match": nullable(_MATCH),
    "location": {
        **nullable(_LOCATION),
        "description": "What the text shows of the place, as it was printed.",
    },
    "kind": nullable(one_of(KINDS, "What it is, also where there is no merchant.")),
    "channel": nullable(one_of(CHANNELS, "Where it was bought.")),
    "counterparties": {
        "type": ["array", "null"],
        "items": _COUNTERPARTY,
        "description": "Who took part, everybody once: the merchant (as `marketplace` if "
        "somebody else sold there), and whom the text shows besides.",
    },
    "error": nullable(text("Why it failed.")),
    "batch": nullable(identifier("The batch that it came in.")),
}
_DELIVERIES = array(ref("DeliverySummary"), description="What became of the webhooks about it.")
_COUNT = number("integer", minimum=0)
_BATCH = {
    "id": identifier(),
    "status": one_of(Batch.Status.values),
    "deliver": one_of(Batch.Deliver.values, "Whether each row has a webhook, or the batch alone."),
    "created_at": moment(),
    "completed_at": nullable(moment()),
    "counts": obj(
        dict.fromkeys(
            (
                "accepted",
                "rejected",
                "pending",
                "completed",
                "failed",
                "canceled",
                "corrected",
            ),
            _COUNT,
        ),
        description="Rows; `corrected` are those whose answer has changed since, each once.",
    ),
    "errors": array(
        obj(
            {
                "row": number("integer", "Its place among the rows, from 1.", minimum=1),
                "line": number("integer", "The line it begins on, from 1; null in JSON.")
                | {"type": ["integer", "null"]},
                "pointer": text("The field at fault."),
                "detail": text(),
            }
        ),
        description=f"What is wrong with the rejected rows; the first {MAX_ERRORS}.",
    ),
}

schemas(
    SeedTransaction=obj(
        {"description": _DESCRIPTION, "amount": _AMOUNT, "date": _DATE},
        optional=("amount", "date"),
        examples=[{"date": "2021-10-03", "description": "NETFLIX.COM", "amount": "12.99"}],
    ),
    Transaction=obj(
        {
            "description": _DESCRIPTION,
            "amount": _AMOUNT,
            "currency": nullable(one_of(sorted(CURRENCIES), "ISO 4217.")),
            "date": _DATE,
            "mcc": nullable(one_of(sorted(mccs()), "ISO 18245.")),
            "country": nullable(one_of(sorted(COUNTRIES), "ISO 3166-1 alpha-2.")),
            "city": nullable(text(maxLength=CITY_LENGTH, pattern=ANY_TEXT)),
            "reference": nullable(
                text(
                    "Your own id of it; no card number.",
                    maxLength=REFERENCE_LENGTH,
                    pattern=ANY_TEXT,
                )
            ),
            "metadata": nullable(
                {**_METADATA, "description": "Pairs of your own, given back and never read."}
            ),
        },
        optional=(*CSV_COLUMNS[1:], "metadata"),
        examples=[EXAMPLE],
    ),
    DeliverySummary=obj(
        {
            "id": identifier(),
            "webhook": identifier(),
            "status": one_of(Delivery.Status.values),
            "attempts": _COUNT,
            "next_attempt_at": nullable(moment()),
        }
    ),
    Normalization=obj(
        {**_NORMALIZATION, "deliveries": _DELIVERIES}, examples=[NORMALIZATION_EXAMPLE]
    ),
    NormalizationData=obj(_NORMALIZATION, examples=[FINISHED]),
    NormalizationPage=page("Normalization"),
    Feedback=obj(
        {
            "merchant": text("The right name.", minLength=1, maxLength=200, pattern=SOME_TEXT),
            "comment": nullable(text(maxLength=1000, pattern=ANY_TEXT)),
        },
        optional=("comment",),
        examples=[{"merchant": "Blue Bottle Coffee", "comment": "The one in Oakland."}],
    ),
    GivenFeedback=obj(
        {
            "id": identifier(),
            "request_id": identifier(),
            "status": one_of(["open", "accepted", "rejected"]),
            "merchant": text(),
            "comment": nullable(text()),
            "created_at": moment(),
        }
    ),
    Batch=obj({**_BATCH, "deliveries": _DELIVERIES}, examples=[BATCH_EXAMPLE]),
    BatchData=obj(_BATCH),
    BatchPage=page("Batch"),
    BatchRow=obj({"row": number("integer", minimum=1), **_NORMALIZATION}),
    Merchant=obj(
        {
            **_MERCHANT_PART["properties"],
            "id": identifier(),
            "mccs": array(text()),
            "countries": array(text(), description="Where it trades; empty: anywhere."),
            "merged_into": nullable(
                identifier("The merchant that took this one's place, and answers for it.")
            ),
            "aliases": array(text(), description="Other spellings in descriptors."),
        }
    ),
    MerchantPage=page("Merchant"),
    MerchantCategory=obj(
        _CATEGORY, description="A category of the list that `GET /v1/categories` answers."
    ),
    Category=obj(
        {
            **_CATEGORY,
            "title": text("What people call it."),
            "mccs": array(text(), description="The MCCs (ISO 18245) that mean it."),
            "plaid": text("The nearest detailed category of Plaid's personal finance categories."),
        },
        examples=CATEGORIES_EXAMPLE["data"],
    ),
    CategoryPage=page("Category"),
    Usage=obj(
        {
            "client_id": text(),
            "period": obj({"start": moment(), "end": moment()}),
            "normalizations": obj(
                dict.fromkeys(
                    ("total", "queued", "processing", "completed", "failed", "canceled"), _COUNT
                )
            ),
            "quota": obj(
                {
                    "limit": nullable(_COUNT),
                    "used": _COUNT,
                    "remaining": nullable(_COUNT),
                }
            ),
            "rate": obj({"requests_per_minute": nullable(_COUNT), "burst": nullable(_COUNT)}),
        }
    ),
)
