// The main job with ioredis: `node job.mjs PORT` ends with status 0 when the server at that port of the loopback
// interface stores, reads and loses keys as it should.

import assert from "node:assert/strict";
import Redis from "ioredis";

const port = Number(process.argv[2]);
const redis = new Redis({ port, host: "127.0.0.1", commandTimeout: 30_000 });

async function storeAndRead() {
  assert.equal(await redis.set("text", "grüße"), "OK");
  assert.equal(await redis.get("text"), "grüße");
  assert.equal(await redis.get("nothing"), null);
  assert.equal(await redis.set("text", "no", "NX"), null);
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await redis.set(everyByte, everyByte);
  assert.deepEqual(await redis.getBuffer(everyByte), everyByte);
  await redis.mset({ a: 1, b: 2 });
  assert.deepEqual(await redis.mget("a", "nothing", "b"), ["1", null, "2"]);
  assert.equal(await redis.incrby("a", 41), 42);
  assert.equal(await redis.del("a", "b", "nothing"), 2);
}

async function pipeline() {
  const pipe = redis.pipeline();
  for (let i = 0; i < 1000; i++) pipe.set(`key:${i}`, i).get(`key:${i}`);
  const replies = await pipe.exec();
  assert.equal(replies.length, 2000);
  replies.forEach(([error, reply], i) => {
    assert.equal(error, null);
    assert.equal(reply, i % 2 ? String((i - 1) / 2) : "OK");
  });
}

async function errors() {
  await redis.set("word", "many");
  await assert.rejects(redis.incr("word"), { message: "ERR value is not an integer or out of range" });
  await assert.rejects(redis.call("nonsense"), { message: /^ERR unknown command 'nonsense'/ });
}

async function loseOnTime() {
  const start = performance.now();
  await redis.set("short", "lived", "PX", 150);
  const set = performance.now();
  // When the question was asked to which the key was still there.
  let lastSeen = set;
  for (let asked = set; await redis.exists("short"); asked = performance.now()) {
    lastSeen = asked;
    assert.ok(lastSeen < set + 5000, "the key stays");
  }
  assert.ok(performance.now() - start >= 145, "the key went early");
  assert.ok(lastSeen - set < 155, "the key went late");
  await redis.setex("long", 100, "lived");
  assert.equal(await redis.persist("long"), 1);
  assert.equal(await redis.ttl("long"), -1);
}

async function scan() {
  const found = new Set();
  for await (const keys of redis.scanStream({ match: "key:*", count: 100 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 1000);
}

async function manyAtOnce() {
  const counts = await Promise.all(Array.from({ length: 200 }, () => redis.incr("count")));
  assert.deepEqual(counts, Array.from({ length: 200 }, (_, i) => i + 1));
}

async function reconnect() {
  const other = redis.duplicate();
  const id = await other.client("ID");
  assert.equal(await redis.client("KILL", "ID", id), 1);
  assert.equal(await other.get("text"), "grüße");
  other.disconnect();
}

for (const step of [storeAndRead, pipeline, errors, loseOnTime, scan, manyAtOnce, reconnect]) await step();
await redis.quit();
console.log("all of it holds");
