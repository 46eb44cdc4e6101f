import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Workers that read, transform and produce in transactions; tests/compat/transactions/README.md says how they are driven.
 * With -Dgroup.protocol=consumer their group is one of KIP-848.
 */
public final class Transformer {
    private static volatile boolean leaving;

    private final String servers;
    private final String from;
    private final String to;
    private final String group;
    private final int timeoutMs;
    private final String name;

    private Transformer(String[] args, String name) {
        servers = args[0];
        from = args[1];
        to = args[2];
        group = args[3];
        timeoutMs = Integer.parseInt(args[4]);
        this.name = name;
    }

    public static void main(String[] args) throws Exception {
        List<Thread> workers = Arrays.stream(args).skip(5).map(name -> new Thread(new Transformer(args, name)::live)).toList();
        Thread ear = new Thread(Transformer::listen);
        ear.setDaemon(true);
        ear.start();
        workers.forEach(Thread::start);
        for (Thread worker : workers)
            worker.join();
    }

    private static void listen() {
        try {
            System.in.read();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        leaving = true;
    }

    private void say(String what) {
        synchronized (System.out) {
            System.out.println(name + " " + what);
        }
    }

    private Map<String, Object> common() {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", servers);
        settings.put("reconnect.backoff.max.ms", 500);
        return settings;
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Map<String, Object> settings = common();
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        settings.put("isolation.level", "read_committed");
        if ("consumer".equals(System.getProperty("group.protocol"))) {
            settings.put("group.protocol", "consumer");
        } else {
            settings.put("partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
            settings.put("session.timeout.ms", 3000);
            settings.put("heartbeat.interval.ms", 500);
        }
        settings.put("max.poll.interval.ms", 10000);
        settings.put("max.poll.records", 100);
        settings.put("fetch.max.wait.ms", 200);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private KafkaProducer<byte[], byte[]> producer() {
        Map<String, Object> settings = common();
        settings.put("transactional.id", name);
        settings.put("transaction.timeout.ms", timeoutMs);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private void live() {
        while (!leaving) {
            try (KafkaConsumer<byte[], byte[]> consumer = consumer(); KafkaProducer<byte[], byte[]> producer = producer()) {
                producer.initTransactions();
                say("starts");
                consumer.subscribe(List.of(from));
                while (!leaving)
                    turn(consumer, producer);
            } catch (KafkaException e) {
                if (isFenced(e)) {
                    say("fenced");
                    return;
                }
                say("restarts " + e);
            }
        }
    }

    private void turn(KafkaConsumer<byte[], byte[]> consumer, KafkaProducer<byte[], byte[]> producer) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
        if (records.isEmpty())
            return;
        producer.beginTransaction();
        try {
            for (ConsumerRecord<byte[], byte[]> record : records)
                producer.send(new ProducerRecord<>(to, record.key(), record.value()));
            Thread.sleep(ThreadLocalRandom.current().nextInt(20));
            if (ThreadLocalRandom.current().nextInt(8) == 0) {
                producer.flush();
                producer.abortTransaction();
                rewind(consumer, records);
                say("aborted");
                return;
            }
            producer.sendOffsetsToTransaction(next(records), consumer.groupMetadata());
            commit(producer);
            say("committed " + records.count());
        } catch (KafkaException e) {
            if (isFenced(e))
                throw e;
            producer.abortTransaction();
            rewind(consumer, records);
            say("failed " + e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean isFenced(KafkaException e) {
        return e instanceof ProducerFencedException || e instanceof InvalidProducerEpochException;
    }

    /** Whether a commit took place is not known after a timeout: it is asked for again. */
    private static void commit(KafkaProducer<byte[], byte[]> producer) {
        while (true) {
            try {
                producer.commitTransaction();
                return;
            } catch (TimeoutException e) {
                continue;
            }
        }
    }

    private static Map<TopicPartition, OffsetAndMetadata> next(ConsumerRecords<byte[], byte[]> records) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : records)
            offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        return offsets;
    }

    private static void rewind(KafkaConsumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records) {
        for (TopicPartition partition : records.partitions())
            if (consumer.assignment().contains(partition))
                consumer.seek(partition, records.records(partition).get(0).offset());
    }
}
