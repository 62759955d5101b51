// The quick start of docs/api.md by the client of @hey-api/openapi-ts.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { client } from "./generated/hey_api/client.gen.js";
import {
  createBatch,
  createNormalization,
  getBatch,
  getBatchResults,
  getUsage,
  listNormalizations,
  listWebhooks,
  sendTest,
} from "./generated/hey_api/sdk.gen.js";
import type { Batch, Transaction } from "./generated/hey_api/types.gen.js";

client.setConfig({
  baseUrl: process.env["PAVE"] ?? "",
  auth: `Api-Key ${process.env["KEY"]}`,
});

async function send(): Promise<void> {
  const body: Transaction = {
    description: "SQ *BLUE BOTTLE COFFEE OAKLAND CA",
    amount: "5.25",
    currency: "USD",
    reference: "t-1",
  };
  const { data: sent } = await createNormalization({ body, headers: { Prefer: "wait=10" } });
  assert.equal(sent?.merchant?.name, "Blue Bottle Coffee");
  const { data: found } = await listNormalizations({ query: { reference: "t-1" } });
  assert.deepEqual(found?.data.map((one) => one.request_id), [sent.request_id]);
}

async function repeat(): Promise<void> {
  const headers = { "Idempotency-Key": "order-7-payment-1" };
  const body = { description: "NETFLIX.COM", amount: 12.99 };
  const first = await createNormalization({ body, headers });
  const second = await createNormalization({ body, headers });
  assert.deepEqual(first.data, second.data);
  assert.equal(second.response?.headers.get("Idempotency-Replayed"), "true");
  const { error } = await createNormalization({ body: { description: " " } });
  assert.equal(error?.errors?.[0]?.pointer, "/description");
}

async function sendBatch(): Promise<void> {
  const transactions = ["NETFLIX.COM", "SPOTIFY P1A2B3", ""].map((description) => ({ description }));
  const sent = await createBatch({ body: { transactions } });
  let batch: Batch | undefined = sent.data;
  assert.deepEqual(batch?.errors.map((error) => error.pointer), ["/description"]);
  const path = { batch_id: batch.id };
  while (batch?.status !== "completed") {
    await sleep(200);
    batch = (await getBatch({ path })).data;
  }
  const { data: results } = await getBatchResults({ path, parseAs: "text" });
  assert.equal(results?.trim().split("\n").length, 2);
}

async function tryWebhook(): Promise<void> {
  const { data: webhooks } = await listWebhooks();
  const { data: tested } = await sendTest({ path: { webhook_id: webhooks?.data[0]?.id ?? "" } });
  assert.equal(tested?.attempt.ok, true);
}

async function main(): Promise<void> {
  await send();
  await repeat();
  await sendBatch();
  await tryWebhook();
  const { data: usage } = await getUsage();
  assert.equal(usage?.normalizations.total, 4);
}

void main();
