import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Java producers and members of groups that go on over whatever happens to the broker, until standard input ends.
 *
 *     Load SERVERS ROLE...
 *
 * The roles and what is printed are described in support/load/__init__.py.
 */
public final class Load {
    private static final long TICK_MS = 20;
    private static final int PATIENCE_MS = 600_000;
    private static volatile boolean stopping;
    private static PrintStream out;

    private Load() {
    }

    public static void main(String[] args) throws Exception {
        out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.US_ASCII);
        List<Thread> threads = Arrays.stream(args).skip(1).map(role -> thread(args[0], role.split(":"))).toList();
        threads.forEach(Thread::start);
        Thread flusher = new Thread(Load::flushOften);
        flusher.setDaemon(true);
        flusher.start();
        while (System.in.read() >= 0) {
        }
        stopping = true;
        for (Thread thread : threads)
            thread.join();
        out.flush();
    }

    private static void flushOften() {
        while (true) {
            out.flush();
            sleep();
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(TICK_MS);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Thread thread(String servers, String[] role) {
        return new Thread(() -> {
            try {
                if (role[0].equals("producer"))
                    produce(servers, role);
                else
                    consume(servers, role);
                out.println("done " + role[1]);
            } catch (RuntimeException e) {
                out.println("fault " + role[1] + " " + e);
            }
        });
    }

    private static Map<String, Object> common(String servers) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", servers);
        settings.put("reconnect.backoff.ms", 20);
        settings.put("reconnect.backoff.max.ms", 100);
        settings.put("retry.backoff.ms", 20);
        settings.put("retry.backoff.max.ms", 200);
        return settings;
    }

    private static void produce(String servers, String[] role) {
        String name = role[1];
        String topic = role[2];
        int partitions = Integer.parseInt(role[3]);
        int rate = Integer.parseInt(role[4]);
        int bytes = Integer.parseInt(role[5]);
        boolean idempotent = role[6].equals("idempotent");
        Map<String, Object> settings = common(servers);
        settings.put("acks", "all");
        settings.put("enable.idempotence", idempotent);
        settings.put("max.in.flight.requests.per.connection", idempotent ? 5 : 1);
        settings.put("compression.type", role[7]);
        settings.put("linger.ms", 2);
        settings.put("batch.size", 4096);
        settings.put("delivery.timeout.ms", PATIENCE_MS);
        settings.put("max.block.ms", PATIENCE_MS);
        long[] next = new long[partitions];
        int turn = 0;
        try (KafkaProducer<byte[], byte[]> producer =
                 new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (; !stopping; sleep()) {
                int partition = turn++ % partitions;
                for (long i = Math.max(rate * TICK_MS / 1000, 1); i > 0; i--)
                    send(producer, name, topic, partition, next[partition]++, bytes);
            }
        }
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String name, String topic, int partition, long number, int bytes) {
        byte[] value = (name + " " + number + " " + "x".repeat((int) (number * 37 % bytes))).getBytes(StandardCharsets.US_ASCII);
        producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) -> {
            if (error == null)
                out.println("ack " + name + " " + partition + " " + (metadata.hasOffset() ? metadata.offset() : -1) + " " + number + " 1");
            else
                out.println("fault " + name + " partition " + partition + ", record " + number + ": " + error);
        });
    }

    private static void consume(String servers, String[] role) {
        Map<String, Object> settings = common(servers);
        settings.put("group.id", role[3]);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        settings.put("heartbeat.interval.ms", 300);
        settings.put("default.api.timeout.ms", PATIENCE_MS);
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(role[2]));
            while (!stopping) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                if (!records.isEmpty()) {
                    for (ConsumerRecord<byte[], byte[]> record : records)
                        print(role[1], record);
                    commit(role[1], consumer, records);
                }
            }
        }
    }

    /** name and number are the first two words of the value; its length says whether the rest is whole. */
    private static void print(String member, ConsumerRecord<byte[], byte[]> record) {
        String[] words = new String(record.value(), StandardCharsets.US_ASCII).split(" ", 3);
        out.println("record " + member + " " + record.partition() + " " + record.offset() + " " + words[0] + " " + words[1] + " "
            + record.value().length);
    }

    private static void commit(String member, KafkaConsumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records) {
        Map<TopicPartition, OffsetAndMetadata> offsets = records.nextOffsets();
        try {
            consumer.commitSync(offsets);
            offsets.forEach((partition, offset) ->
                out.println("commit " + member + " " + partition.partition() + " " + offset.offset()));
        } catch (CommitFailedException | RebalanceInProgressException | RetriableException e) {
            out.println("note " + member + " " + e.getClass().getSimpleName());
        }
    }
}
