// The quick start of docs/api.md by openapi-fetch with the types of openapi-typescript.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import createClient from "openapi-fetch";

import type { components, paths } from "./generated/fetch.js";

const pave = createClient<paths>({
  baseUrl: process.env["PAVE"] ?? "",
  headers: { Authorization: `Api-Key ${process.env["KEY"]}` },
});

async function send(): Promise<void> {
  const body: components["schemas"]["Transaction"] = {
    description: "SQ *BLUE BOTTLE COFFEE OAKLAND CA",
    amount: "5.25",
    currency: "USD",
    reference: "t-1",
  };
  const header = { Prefer: "wait=10" };
  const { data: sent } = await pave.POST("/v1/normalizations", { body, params: { header } });
  assert.equal(sent?.merchant?.name, "Blue Bottle Coffee");
  const query = { reference: "t-1" };
  const { data: found } = await pave.GET("/v1/normalizations", { params: { query } });
  assert.deepEqual(found?.data.map((one) => one.request_id), [sent.request_id]);
}

async function repeat(): Promise<void> {
  const header = { "Idempotency-Key": "order-7-payment-1" };
  const body = { description: "NETFLIX.COM", amount: 12.99 };
  const first = await pave.POST("/v1/normalizations", { body, params: { header } });
  const second = await pave.POST("/v1/normalizations", { body, params: { header } });
  assert.deepEqual(first.data, second.data);
  assert.equal(second.response.headers.get("Idempotency-Replayed"), "true");
  const { error } = await pave.POST("/v1/normalizations", { body: { description: " " } });
  assert.equal(error?.errors?.[0]?.pointer, "/description");
}

async function sendBatch(): Promise<void> {
  const transactions = ["NETFLIX.COM", "SPOTIFY P1A2B3", ""].map((description) => ({ description }));
  let { data: batch } = await pave.POST("/v1/batches", { body: { transactions } });
  assert.deepEqual(batch?.errors.map((error) => error.pointer), ["/description"]);
  const path = { batch_id: batch.id };
  while (batch?.status !== "completed") {
    await sleep(200);
    ({ data: batch } = await pave.GET("/v1/batches/{batch_id}", { params: { path } }));
  }
  const { data: results } = await pave.GET("/v1/batches/{batch_id}/results", {
    params: { path },
    parseAs: "text",
  });
  assert.equal(results?.trim().split("\n").length, 2);
}

async function tryWebhook(): Promise<void> {
  const { data: webhooks } = await pave.GET("/v1/webhooks");
  const path = { webhook_id: webhooks?.data[0]?.id ?? "" };
  const { data: tested } = await pave.POST("/v1/webhooks/{webhook_id}/test", { params: { path } });
  assert.equal(tested?.attempt.ok, true);
}

async function main(): Promise<void> {
  await send();
  await repeat();
  await sendBatch();
  await tryWebhook();
  const { data: usage } = await pave.GET("/v1/usage");
  assert.equal(usage?.normalizations.total, 4);
}

void main();
