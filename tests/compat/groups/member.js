// A consumer group's members with kafkajs; tests/compat/groups/README.md says how they are driven.
'use strict';

const { Kafka, logLevel } = require('kafkajs');
const readline = require('readline');

const [servers, topic, group, strategy, ...names] = process.argv.slice(2);

function say(line) {
  process.stdout.write(line + '\n');
}

async function join(name) {
  const kafka = new Kafka({
    clientId: name, brokers: [servers], logLevel: logLevel.NOTHING, connectionTimeout: 1000,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 200 },
  });
  const consumer = kafka.consumer({
    groupId: group, sessionTimeout: 3000, heartbeatInterval: 500, rebalanceTimeout: 10000, maxWaitTimeInMs: 200,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 200, restartOnFailure: async () => true },
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    say(`${name} assigned ${(payload.memberAssignment[topic] || []).join(',')}`);
  });
  consumer.on(consumer.events.REBALANCING, () => say(`${name} assigned `));
  say(`${name} joins`);
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
      for (const message of batch.messages) {
        say(`${name} record ${batch.partition} ${message.offset}`);
        resolveOffset(message.offset);
      }
      await heartbeat();
    },
  });
  return consumer;
}

async function main() {
  if (strategy !== 'roundrobin') throw new Error(`strategy ${strategy}`);
  const consumers = Promise.all(names.map(join));
  await new Promise((resolve) => readline.createInterface({ input: process.stdin }).once('line', resolve).once('close', resolve));
  await Promise.all((await consumers).map((consumer) => consumer.disconnect()));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
