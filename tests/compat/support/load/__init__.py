"""Clients that go on over whatever happens to the broker, and what they must find afterwards.

The clients are programs: Java (java/Load.java), librdkafka (rdkafka.py), our own in C (tests/crash/own_producer.c). Each is called with
the address and roles:

    producer:NAME:TOPIC:PARTITIONS:RATE:BYTES:KIND:CODEC     KIND: idempotent (five requests in flight) or plain (one); always acks=all
    member:NAME:TOPIC:GROUP                                  of a group; commits what it has read

A producer numbers the records of each partition from 0. A record's value is its name, the number and (number * 37 mod BYTES) times "x".
Until standard input ends, they print lines:

    ack NAME PARTITION OFFSET NUMBER COUNT       acknowledged; OFFSET is -1 when the answer did not say
    record NAME PARTITION OFFSET PRODUCER NUMBER LENGTH
    commit NAME PARTITION OFFSET                 committed
    note NAME TEXT                               nothing wrong
    fault NAME TEXT                              what must not happen to such a client
    done NAME                                    everything was acknowledged; the last line

facts.py keeps what was said and finds what does not fit together; clients.py runs the programs; workload.py is both together.
"""
