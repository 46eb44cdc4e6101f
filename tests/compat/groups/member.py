"""A consumer group's members with confluent-kafka, kafka-python or aiokafka; README.md says how they are driven.

    member.py CLIENT SERVERS TOPIC GROUP STRATEGY NAME...
"""
import asyncio
import logging
import sys
import threading

CLIENT, SERVERS, TOPIC, GROUP, STRATEGY, *NAMES = sys.argv[1:]
SAYING = threading.Lock()
LEAVING = threading.Event()


def say(line):
    with SAYING:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class Held:
    """Says what a member has, whenever that changes."""

    def __init__(self, name):
        self.name, self.partitions = name, None

    def look(self, partitions):
        partitions = sorted(p.partition for p in partitions)
        if partitions != self.partitions:
            self.partitions = partitions
            say(f"{self.name} assigned {','.join(map(str, partitions))}")


def instance(name):
    return name if name.startswith("static-") else None


def confluent(name):
    from confluent_kafka import Consumer, KafkaException  # pylint: disable=import-outside-toplevel
    settings = {"bootstrap.servers": SERVERS, "group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                "fetch.wait.max.ms": 200, "reconnect.backoff.max.ms": 500, "log_level": 0}
    if STRATEGY == "consumer":
        settings["group.protocol"] = "consumer"
    else:
        settings |= {"partition.assignment.strategy": STRATEGY, "session.timeout.ms": 3000, "heartbeat.interval.ms": 500,
                     "max.poll.interval.ms": 10000}
    if instance(name):
        settings["group.instance.id"] = name
    consumer, held = Consumer(settings), Held(name)
    say(f"{name} joins")
    consumer.subscribe([TOPIC])
    while not LEAVING.is_set():
        records = [record for record in consumer.consume(200, 0.1) if record.error() is None]
        for record in records:
            say(f"{name} record {record.partition()} {record.offset()}")
        try:
            if records:
                consumer.commit(asynchronous=False)
            held.look(consumer.assignment())
        except KafkaException:
            pass  # what cannot be committed is read again
    consumer.close()


def kafka_python(name):
    import kafka  # pylint: disable=import-outside-toplevel
    from kafka import errors  # pylint: disable=import-outside-toplevel
    from kafka.coordinator.assignors.range import RangePartitionAssignor  # pylint: disable=import-outside-toplevel
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor  # pylint: disable=import-outside-toplevel
    strategy = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}[STRATEGY]
    held = Held(name)
    # Its threads race for what they share (3.0.12: an answer is then never read): let Python take turns only where one of them waits.
    sys.setswitchinterval(1)
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=SERVERS, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=200,
        session_timeout_ms=3000, heartbeat_interval_ms=500, max_poll_interval_ms=10000, reconnect_backoff_max_ms=500,
        partition_assignment_strategy=[strategy], group_instance_id=instance(name))
    say(f"{name} joins")
    consumer.subscribe([TOPIC])
    while not LEAVING.is_set():
        try:
            records = consumer.poll(timeout_ms=100)
            for batch in records.values():
                for record in batch:
                    say(f"{name} record {record.partition} {record.offset}")
            if records:
                consumer.commit(timeout_ms=2000)
        except errors.KafkaError:
            pass  # what cannot be committed is read again
        held.look(consumer.assignment())
    consumer.close(autocommit=False)


async def aiokafka(name):
    import aiokafka as client  # pylint: disable=import-outside-toplevel
    from aiokafka import errors  # pylint: disable=import-outside-toplevel
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor  # pylint: disable=import-outside-toplevel
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor  # pylint: disable=import-outside-toplevel
    strategy = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}[STRATEGY]
    held = Held(name)
    consumer = client.AIOKafkaConsumer(
        TOPIC, bootstrap_servers=SERVERS, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False,
        fetch_max_wait_ms=200, session_timeout_ms=3000, heartbeat_interval_ms=500, max_poll_interval_ms=10000,
        rebalance_timeout_ms=10000, partition_assignment_strategy=[strategy], group_instance_id=instance(name))
    say(f"{name} joins")
    await consumer.start()
    while not LEAVING.is_set():
        try:
            records = await consumer.getmany(timeout_ms=100)
            for partition, batch in records.items():
                for record in batch:
                    say(f"{name} record {partition.partition} {record.offset}")
            if records:
                await asyncio.wait_for(consumer.commit(), 2)
        except (errors.KafkaError, asyncio.TimeoutError):
            pass  # what cannot be committed is read again
        held.look(consumer.assignment())
    await consumer.stop()


async def all_of_aiokafka():
    await asyncio.gather(*(aiokafka(name) for name in NAMES))


def main():
    logging.disable(logging.CRITICAL)

    def listen():
        sys.stdin.readline()
        LEAVING.set()

    threading.Thread(target=listen, daemon=True).start()
    if CLIENT == "aiokafka":
        asyncio.run(all_of_aiokafka())
        return
    run = {"confluent": confluent, "kafka-python": kafka_python}[CLIENT]
    threads = [threading.Thread(target=run, args=(name,)) for name in NAMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
