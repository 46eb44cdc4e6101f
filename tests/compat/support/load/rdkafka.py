"""librdkafka's producers and members of groups. The roles and what is printed: __init__.py."""
import sys
import threading
import time

import confluent_kafka

TICK_SECONDS = 0.02
PATIENCE_MS = 600000
RETRIED = {confluent_kafka.KafkaError.ILLEGAL_GENERATION, confluent_kafka.KafkaError.UNKNOWN_MEMBER_ID,
           confluent_kafka.KafkaError.REBALANCE_IN_PROGRESS, confluent_kafka.KafkaError._WAIT_COORD,
           confluent_kafka.KafkaError._NO_OFFSET, confluent_kafka.KafkaError._ASSIGNMENT_LOST}

stopping = threading.Event()


def say(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")


def common(servers):
    return {"bootstrap.servers": servers, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "log_level": 0}


def value(name, number, size):
    return b"%s %d %s" % (name.encode(), number, b"x" * (number * 37 % size))


def produce(servers, name, topic, partitions, rate, size, kind, codec):
    idempotent = kind == "idempotent"
    producer = confluent_kafka.Producer({
        **common(servers), "acks": "all", "enable.idempotence": idempotent, "compression.type": codec, "linger.ms": 2,
        "max.in.flight.requests.per.connection": 5 if idempotent else 1, "batch.num.messages": 100,
        "message.timeout.ms": PATIENCE_MS, "retry.backoff.ms": 20})

    def told(partition, number):
        def delivered(error, message):
            if error is not None:
                say("fault", name, f"partition {partition}, record {number}: {error}")
            else:
                say("ack", name, partition, message.offset(), number, 1)
        return delivered

    following = [0] * int(partitions)
    turn = 0
    while not stopping.is_set():
        partition = turn % len(following)
        turn += 1
        for _ in range(max(int(int(rate) * TICK_SECONDS), 1)):
            number = following[partition]
            try:
                producer.produce(topic, value(name, number, int(size)), partition=partition, on_delivery=told(partition, number))
            except BufferError:
                break
            following[partition] += 1
        producer.poll(0)
        sys.stdout.flush()
        time.sleep(TICK_SECONDS)
    while producer.flush(1) > 0:
        sys.stdout.flush()


def consume(servers, name, topic, group):
    consumer = confluent_kafka.Consumer({
        **common(servers), "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "heartbeat.interval.ms": 300, "check.crcs": True})
    consumer.subscribe([topic])
    while not stopping.is_set():
        ends = {}
        for message in consumer.consume(500, 0.1):
            if message.error() is not None:
                say("note", name, message.error())
                continue
            producer, number, _ = message.value().split(b" ", 2)
            say("record", name, message.partition(), message.offset(), producer.decode(), int(number), len(message.value()))
            ends[message.partition()] = message.offset() + 1
        if ends:
            commit(consumer, name, [confluent_kafka.TopicPartition(topic, *end) for end in ends.items()])
        sys.stdout.flush()
    consumer.close()


def commit(consumer, name, offsets):
    try:
        answered = consumer.commit(offsets=offsets, asynchronous=False)
    except confluent_kafka.KafkaException as error:
        problem = error.args[0]
        known = problem.retriable() or problem.code() in RETRIED or problem.code() < 0  # lost connections have negative codes
        say("note" if known else "fault", name, "commit:", problem)
        return
    for one in answered:
        if one.error is None:
            say("commit", name, one.partition, one.offset)
        else:
            say("note", name, "commit:", one.error)


def run(servers, role):
    kind, name, *words = role.split(":")
    try:
        (produce if kind == "producer" else consume)(servers, name, *words)
        say("done", name)
    except Exception as error:  # pylint: disable=broad-except
        say("fault", name, repr(error))


def main(servers, *roles):
    threads = [threading.Thread(target=run, args=(servers, role)) for role in roles]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join()
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
