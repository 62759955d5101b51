"""The error of every route, as the API's description has it."""

from pave.api.openapi.registry import array, number, obj, schemas, text

schemas(
    Problem=obj(
        {
            "type": text("`about:blank` where the status says all.", format="uri-reference"),
            "title": text("The status in words."),
            "status": number("integer"),
            "detail": text("What is wrong, and what to do."),
            "errors": array(
                obj(
                    {
                        "pointer": text(
                            "The field at fault, as a JSON pointer into the body, or the name of "
                            "the parameter or header."
                        ),
                        "detail": text(),
                        "row": number("integer", "In a batch: which row, from 1."),
                        "line": number("integer", "In a batch: on which line it begins, from 1.")
                        | {"type": ["integer", "null"]},
                    },
                    optional=("row", "line"),
                )
            ),
        },
        optional=("errors",),
        description="What went wrong (RFC 9457).",
        examples=[
            {
                "type": "about:blank",
                "title": "Bad Request",
                "status": 400,
                "detail": "currency: Must be a currency code of ISO 4217, such as USD.",
                "errors": [
                    {
                        "pointer": "/currency",
                        "detail": "Must be a currency code of ISO 4217, such as USD.",
                    }
                ],
            }
        ],
    ),
)
