import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The Java producer and consumer as a small program that the tests drive.
 *
 * A record is a line: "timestamp key value headers"; bytes are "=" and hex, null is "-", headers are name:value joined by ",",
 * and "." when there are none.
 *
 *     produce SERVERS TOPIC CODEC IDEMPOTENT     records from standard input to partition 0; prints each offset
 *     consume SERVERS TOPIC FROM COUNT           prints "offset record" from partition 0
 *     times SERVERS TOPIC TIMESTAMP...           prints the offset of each timestamp, -1 when there is none
 *     ends SERVERS TOPIC                         prints first and next offset
 *     member SERVERS GROUP TOPIC                 prints "assigned ..." and "record partition offset value" until standard
 *                                                input says "close" (or "leave", which commits nothing)
 */
public final class Client {
    private static final HexFormat HEX = HexFormat.of();
    private static final Duration TURN = Duration.ofMillis(100);

    private Client() {
    }

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "produce" -> produce(args[1], args[2], args[3], Boolean.parseBoolean(args[4]));
            case "consume" -> consume(args[1], args[2], Long.parseLong(args[3]), Integer.parseInt(args[4]));
            case "times" -> times(args[1], args[2], Arrays.copyOfRange(args, 3, args.length));
            case "ends" -> ends(args[1], args[2]);
            case "member" -> member(args[1], args[2], args[3]);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static void produce(String servers, String topic, String codec, boolean idempotent) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", servers);
        settings.put("compression.type", codec);
        settings.put("enable.idempotence", idempotent);
        settings.put("acks", "all");
        settings.put("linger.ms", 20);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer =
                 new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
            for (String line = lines.readLine(); line != null; line = lines.readLine())
                sent.add(producer.send(parse(topic, line)));
        }
        for (Future<RecordMetadata> one : sent)
            System.out.println(one.get().offset());
    }

    private static ProducerRecord<byte[], byte[]> parse(String topic, String line) {
        String[] words = line.split(" ");
        ProducerRecord<byte[], byte[]> record =
            new ProducerRecord<>(topic, 0, Long.parseLong(words[0]), bytes(words[1]), bytes(words[2]));
        if (!words[3].equals("."))
            for (String header : words[3].split(",")) {
                String[] pair = header.split(":");
                record.headers().add(new String(bytes(pair[0]), StandardCharsets.UTF_8), bytes(pair[1]));
            }
        return record;
    }

    private static byte[] bytes(String word) {
        return word.equals("-") ? null : HEX.parseHex(word.substring(1));
    }

    private static String word(byte[] bytes) {
        return bytes == null ? "-" : "=" + HEX.formatHex(bytes);
    }

    private static String format(ConsumerRecord<byte[], byte[]> record) {
        List<String> headers = new ArrayList<>();
        for (Header header : record.headers())
            headers.add(word(header.key().getBytes(StandardCharsets.UTF_8)) + ":" + word(header.value()));
        return record.timestamp() + " " + word(record.key()) + " " + word(record.value()) + " "
            + (headers.isEmpty() ? "." : String.join(",", headers));
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String servers, String group) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", servers);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        settings.put("heartbeat.interval.ms", 300);
        if (group != null)
            settings.put("group.id", group);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static void consume(String servers, String topic, long from, int count) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(servers, null)) {
            TopicPartition partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seek(partition, from);
            int n = 0;
            while (n < count)
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(TURN)) {
                    System.out.println(record.offset() + " " + format(record));
                    n++;
                }
        }
    }

    private static void times(String servers, String topic, String[] timestamps) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(servers, null)) {
            TopicPartition partition = new TopicPartition(topic, 0);
            for (String timestamp : timestamps) {
                var found = consumer.offsetsForTimes(Map.of(partition, Long.parseLong(timestamp))).get(partition);
                System.out.println(found == null ? -1 : found.offset());
            }
        }
    }

    private static void ends(String servers, String topic) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(servers, null)) {
            TopicPartition partition = new TopicPartition(topic, 0);
            System.out.println(consumer.beginningOffsets(List.of(partition)).get(partition));
            System.out.println(consumer.endOffsets(List.of(partition)).get(partition));
        }
    }

    private static void member(String servers, String group, String topic) throws IOException {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(servers, group)) {
            consumer.subscribe(List.of(topic), new Listener(consumer));
            while (!commands.ready())
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(TURN))
                    System.out.println("record " + record.partition() + " " + record.offset() + " " + word(record.value()));
            if (commands.readLine().equals("close"))
                consumer.commitSync();
        }
        System.out.println("closed");
    }

    /** Says what is assigned after every change. */
    private static final class Listener implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;

        Listener(KafkaConsumer<byte[], byte[]> consumer) {
            this.consumer = consumer;
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            System.out.println("assigned " + consumer.assignment().stream().map(p -> String.valueOf(p.partition())).sorted()
                .collect(Collectors.joining(",")));
        }
    }
}
