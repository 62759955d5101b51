"""The routes about transactions and merchants, in the API's description."""

from merchants.api.openapi.schemas import (
    ANY_TEXT,
    BATCH_EXAMPLE,
    CATEGORIES_EXAMPLE,
    EXAMPLE,
    NORMALIZATION_EXAMPLE,
    QUEUED_EXAMPLE,
)
from merchants.api.views import batches, categories, merchants, normalizations, usage
from merchants.models import NormalizationRequest
from merchants.requests.batches import MAX_ROWS
from pave.api.openapi.registry import (
    IDEMPOTENCY_KEY,
    LOCATION,
    PAGING,
    REPLAYED,
    answer,
    array,
    content,
    describe,
    identifier,
    moment,
    obj,
    one_of,
    operation,
    param,
    ref,
    text,
)

_REQUEST_ID = param("request_id", identifier(), where="path")
_BATCH_ID = param("batch_id", identifier(), where="path")
_MERCHANT_ID = param("merchant_id", identifier(), where="path")
_CLIENT_ID = param(
    "client-id",
    text(),
    "May be left out; where it is there, it must be the key's client.",
    where="header",
    example="1234",
)
_PREFER = param(
    "Prefer",
    text(),
    "`wait=N`: wait up to N seconds (at most 10) for the result. Without it the answer comes at "
    "once, and so it does while too many others wait.",
    where="header",
    example="wait=5",
)
_APPLIED = {"Preference-Applied": {"description": "`wait=N`.", "schema": text()}}
_ONE = content(ref("Normalization"), example=NORMALIZATION_EXAMPLE)
_CACHED = {
    "ETag": {"description": "Another one where the list is another one.", "schema": text()},
    "Cache-Control": {"description": "For how long it may be kept.", "schema": text()},
}
_TIME = {"type": "string", "anyOf": [moment(), text(format="date")]}

describe(
    normalizations.NormalizeMerchantView,
    post=operation(
        "normalizeMerchant",
        "Kept from the first version",
        "Send a transaction",
        "Kept for clients of Pave's first version; new ones use `POST /v1/normalizations`.",
        parameters=[_CLIENT_ID, IDEMPOTENCY_KEY],
        body=content(
            ref("SeedTransaction"),
            example={"date": "2021-10-03", "description": "NETFLIX.COM", "amount": "12.99"},
        ),
        answers={
            202: answer(
                "It is taken.",
                content(
                    obj({"request_id": identifier()}),
                    example={"request_id": NORMALIZATION_EXAMPLE["request_id"]},
                ),
                {**LOCATION, **REPLAYED},
            )
        },
        problems=(409, 422),
    ),
)
describe(
    normalizations.NormalizationsView,
    post=operation(
        "createNormalization",
        "Normalizations",
        "Send a transaction",
        "The transaction is taken at once, and answered by a webhook; or read it at `Location`.",
        parameters=[IDEMPOTENCY_KEY, _PREFER],
        body=content(ref("Transaction"), example=EXAMPLE),
        answers={
            200: answer(
                "The result was there in the time that was to be waited.",
                _ONE,
                {**LOCATION, **REPLAYED, **_APPLIED},
            ),
            202: answer(
                "It is taken.",
                content(ref("Normalization"), example=QUEUED_EXAMPLE),
                {**LOCATION, **REPLAYED, **_APPLIED},
            ),
        },
        problems=(409, 422),
    ),
    get=operation(
        "listNormalizations",
        "Normalizations",
        "List normalizations",
        "Newest first; pages stay right while others are added. Filters are to be repeated with "
        "a cursor.",
        parameters=[
            param("status", one_of(NormalizationRequest.Status.values)),
            param("reference", text(minLength=1, maxLength=255, pattern=ANY_TEXT), "Your own id."),
            param("batch", identifier(), "Those of a batch."),
            param("created_after", _TIME, "From this time or day (UTC) on."),
            param("created_before", _TIME, "Before this time or day (UTC)."),
            *PAGING,
        ],
        answers={200: answer("A page.", content(ref("NormalizationPage")))},
    ),
)
describe(
    normalizations.NormalizationView,
    get=operation(
        "getNormalization",
        "Normalizations",
        "Get a normalization",
        parameters=[_REQUEST_ID],
        answers={200: answer("As it is now.", _ONE)},
        problems=(404,),
    ),
)
describe(
    normalizations.CancelView,
    post=operation(
        "cancelNormalization",
        "Normalizations",
        "Cancel a normalization",
        "No webhook tells of it. One that has its end cannot be canceled: 409.",
        parameters=[_REQUEST_ID],
        answers={200: answer("It is canceled.", content(ref("Normalization")))},
        problems=(404, 409, 413, 415),
    ),
)
describe(
    normalizations.FeedbackView,
    post=operation(
        "giveFeedback",
        "Normalizations",
        "Say that an answer is wrong",
        "Staff look at it. Where an answer changes, `normalization.updated` tells.",
        parameters=[_REQUEST_ID],
        body=content(ref("Feedback")),
        answers={201: answer("It is on the list.", content(ref("GivenFeedback")))},
        problems=(404,),
    ),
)
describe(
    batches.BatchesView,
    post=operation(
        "createBatch",
        "Batches",
        "Send many transactions",
        f"Up to {MAX_ROWS:,} rows, in 32 MiB. Good rows are taken; bad rows are reported by line. "
        "Where the body is broken, or no row is good, nothing is taken. Send one at a time: "
        "another of yours meanwhile gets 429.\n\n"
        "In CSV the first line names the columns: `description` and, if wanted, "
        "`amount,currency,date,mcc,country,city,reference`, and `metadata.NAME` for a pair of "
        "your own. Other columns are passed over, and "
        "empty cells count as not sent.",
        parameters=[
            IDEMPOTENCY_KEY,
            param(
                "deliver",
                one_of(["each", "batch"]),
                "Whether each row gets a webhook, or the batch alone (the default). In JSON it "
                "may also be a member of the body.",
            ),
        ],
        body={
            **content(
                obj(
                    {
                        "transactions": array(ref("Transaction"), minItems=1, maxItems=MAX_ROWS),
                        "deliver": one_of(["each", "batch"]),
                    },
                    optional=("deliver",),
                ),
                example={"transactions": [EXAMPLE], "deliver": "batch"},
            ),
            **content(
                text(),
                "application/x-ndjson",
                example='{"description": "NETFLIX.COM", "amount": "12.99"}\n'
                '{"description": "SPOTIFY P1A2B3", "reference": "t-2"}\n',
            ),
            **content(
                text(),
                "text/csv",
                example="description,amount,reference\nNETFLIX.COM,12.99,t-1\n",
            ),
        },
        answers={
            202: answer(
                "The good rows are taken.",
                content(ref("Batch"), example=BATCH_EXAMPLE),
                {**LOCATION, **REPLAYED},
            )
        },
        problems=(409, 422),
    ),
    get=operation(
        "listBatches",
        "Batches",
        "List batches",
        parameters=PAGING,
        answers={200: answer("A page, newest first.", content(ref("BatchPage")))},
    ),
)
describe(
    batches.BatchView,
    get=operation(
        "getBatch",
        "Batches",
        "Get a batch",
        parameters=[_BATCH_ID],
        answers={
            200: answer(
                "With its counts as they are now.", content(ref("Batch"), example=BATCH_EXAMPLE)
            )
        },
        problems=(404,),
    ),
)
describe(
    batches.CancelBatchView,
    post=operation(
        "cancelBatch",
        "Batches",
        "Cancel a batch",
        "Takes back the rows that are not final yet; no webhook tells of them. Of a large batch "
        "that goes on behind the answer. What has been answered stays. A batch "
        "that is final cannot be canceled: 409.",
        parameters=[_BATCH_ID],
        answers={
            200: answer(
                "It is canceled, or is to be.", content(ref("Batch"), example=BATCH_EXAMPLE)
            )
        },
        problems=(404, 409, 413, 415),
    ),
)
describe(
    batches.BatchResultsView,
    get=operation(
        "getBatchResults",
        "Batches",
        "Get the results of a batch",
        "A stream in the order of the input, at any time: rows without an answer have none yet. "
        "`Accept: text/csv` gives CSV, in which cells that begin with `= + - @`, a tab or a "
        "carriage return have a `'` in front, so that no spreadsheet runs them.",
        parameters=[_BATCH_ID],
        answers={
            200: answer(
                "The rows that were taken.",
                {
                    **content(
                        text("Objects of the schema BatchRow, one a line."),
                        "application/x-ndjson",
                    ),
                    **content(text(), "text/csv"),
                },
            )
        },
        problems=(404,),
    ),
)
describe(
    merchants.MerchantsView,
    get=operation(
        "listMerchants",
        "Merchants",
        "Search the catalogue",
        parameters=[
            param(
                "search",
                text(minLength=1, maxLength=200, pattern=r"^[^\u0000]*[^\u0000\s][^\u0000]*$"),
                "Part of a name, another spelling, or a website.",
                example="blue bottle",
            ),
            *PAGING,
        ],
        answers={200: answer("A page, by name.", content(ref("MerchantPage")))},
    ),
)
describe(
    merchants.MerchantView,
    get=operation(
        "getMerchant",
        "Merchants",
        "Get a merchant",
        parameters=[_MERCHANT_ID],
        answers={200: answer("The merchant.", content(ref("Merchant")))},
        problems=(404,),
    ),
)
describe(
    categories.CategoriesView,
    get=operation(
        "listCategories",
        "Merchants",
        "List the categories",
        "The whole published list on one page: what a merchant's `category` may be, with the MCCs "
        "that mean it and the nearest of Plaid's personal finance categories. It changes with a "
        "release of Pave at most; send its `ETag` back to learn whether it has.",
        parameters=[
            param(
                "If-None-Match",
                text(),
                "The `ETag` of the list that you have.",
                where="header",
            )
        ],
        answers={
            200: answer(
                "All of them, by primary.",
                content(ref("CategoryPage"), example=CATEGORIES_EXAMPLE),
                _CACHED,
            ),
            304: answer("It is the list that you have.", headers=_CACHED),
        },
    ),
)
describe(
    usage.UsageView,
    get=operation(
        "getUsage",
        "Usage",
        "Get this month's use and the limits",
        answers={200: answer("Counts (up to 15 s old), quota and rate.", content(ref("Usage")))},
    ),
)
