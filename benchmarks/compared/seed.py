"""The seed's design, written anew: FastAPI, and the heuristic as a background task in-process."""

import os
import time
import uuid

from fastapi import BackgroundTasks, FastAPI
from pydantic import BaseModel

SECONDS = float(os.environ.get("PAVE_HEURISTIC_SECONDS", "0"))
app = FastAPI()


class Transaction(BaseModel):
    date: str
    description: str
    amount: str


def heuristic(request_id: str, description: str) -> None:
    """Burn the CPU that the heuristic takes."""
    if description.startswith("BURN"):
        end = time.thread_time() + SECONDS
        while time.thread_time() < end:
            pass


@app.post("/normalize_merchant", status_code=202)
async def normalize_merchant(transaction: Transaction, tasks: BackgroundTasks) -> dict[str, str]:
    """Answer at once, and run the heuristic afterwards."""
    request_id = str(uuid.uuid4())
    tasks.add_task(heuristic, request_id, transaction.description)
    return {"request_id": request_id}
