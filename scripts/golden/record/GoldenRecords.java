/*
 * Makes the files of tests/golden/record with Apache Kafka's own classes:
 *
 *   NAME.bin, NAME.txt       batches, and what Kafka's reader says is in them
 *   produced/NAME.bin        batches as a producer might send them, most of them wrong in one place
 *   produced/verdicts.txt    what Kafka's LogValidator says to each: "accepted", or the exception
 *
 * Usage: java -cp 'KAFKA_LIBS/*' GoldenRecords.java OUTPUT_DIRECTORY
 *        java -cp 'KAFKA_LIBS/*' GoldenRecords.java --dump BATCH_FILE...
 */
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.internals.ByteUtils;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.BufferSupplier;
import org.apache.kafka.common.utils.internals.PrimitiveRef;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;

public class GoldenRecords {
    static final long TIME = 1700000000000L;
    static Path out;

    public static void main(String[] args) throws Exception {
        if (args[0].equals("--dump")) {
            for (int i = 1; i < args.length; i++)
                System.out.print(dump(ByteBuffer.wrap(Files.readAllBytes(Path.of(args[i])))));
            return;
        }
        out = Path.of(args[0]);
        Files.createDirectories(out.resolve("produced"));
        batches();
        produced();
    }

    // ---- batches ----------------------------------------------------------------------------------------------

    static byte[] text(String s) {
        return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
    }

    static SimpleRecord[] mixed() {
        Header[] headers = {new RecordHeader("trace", text("abc")), new RecordHeader("none", (byte[]) null),
            new RecordHeader("", new byte[0]), new RecordHeader("trace", text("é"))};
        return new SimpleRecord[] {
            new SimpleRecord(TIME, text("key"), text("value")),
            new SimpleRecord(TIME + 70, null, text("no key")),
            new SimpleRecord(TIME + 9000, text("tombstone"), null),
            new SimpleRecord(TIME - 1000, new byte[0], new byte[0]),
            new SimpleRecord(TIME + 5, text("headers"), text("x"), headers),
            new SimpleRecord(TIME + 4000000000L, (byte[]) null, null, new Header[] {headers[1]}),
            new SimpleRecord(TIME, text("long"), text("0123456789".repeat(30))),
        };
    }

    /* Some hundred kilobytes of words that compress, but not to nothing. */
    static SimpleRecord[] large() {
        List<SimpleRecord> records = new ArrayList<>();
        long x = 1;
        for (int i = 0; i < 60; i++) {
            StringBuilder s = new StringBuilder();
            while (s.length() < 2000) {
                x = x * 6364136223846793005L + 1442695040888963407L;
                s.append("some words, ").append((x >>> 33) % 9);
            }
            records.add(new SimpleRecord(TIME + i, text("key-" + i), text(s.toString())));
        }
        return records.toArray(new SimpleRecord[0]);
    }

    static void batches() throws Exception {
        for (CompressionType type : CompressionType.values()) {
            Compression c = Compression.of(type).build();
            save("mixed-" + type.name, MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V2, 42L, c,
                TimestampType.CREATE_TIME, RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH,
                RecordBatch.NO_SEQUENCE, 7, false, mixed()).buffer());
            if (type != CompressionType.NONE)
                save("large-" + type.name, MemoryRecords.withRecords(0L, c, 3, large()).buffer());
        }
        save("lz4-level-12", MemoryRecords.withRecords(0L, Compression.lz4().level(12).build(), 3, large()).buffer());
        save("zstd-level-22", MemoryRecords.withRecords(0L, Compression.zstd().level(22).build(), 3, large()).buffer());
        save("log-append-time", MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V2, 1L << 40, Compression.NONE,
            TimestampType.LOG_APPEND_TIME, mixed()).buffer(), TIME + 77);
        save("idempotent-sequence-wraps", MemoryRecords.withIdempotentRecords(5L, Compression.NONE, 4000L, (short) 3,
            Integer.MAX_VALUE - 2, 0, mixed()).buffer());
        save("transactional", MemoryRecords.withTransactionalRecords(5L, Compression.gzip().build(), 4000L, (short) 3,
            100, 0, mixed()).buffer());
        save("marker-commit", MemoryRecords.withEndTransactionMarker(12L, TIME, 9, 4000L, (short) 3,
            new EndTransactionMarker(ControlRecordType.COMMIT, 21)).buffer());
        save("marker-abort", MemoryRecords.withEndTransactionMarker(13L, TIME, 9, 4000L, (short) 3,
            new EndTransactionMarker(ControlRecordType.ABORT, 21)).buffer());
        save("compacted-with-delete-horizon", compacted());
        ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(empty, RecordBatch.MAGIC_VALUE_V2, 4000L, (short) 3, 100, 50L, 59L, 9,
            TimestampType.CREATE_TIME, TIME, false, false);
        empty.flip();
        save("emptied", empty);
    }

    /* What the cleaner leaves: every second record gone, tombstones to be deleted later. */
    static ByteBuffer compacted() {
        MemoryRecords records = MemoryRecords.withRecords(42L, Compression.NONE, 7, mixed());
        ByteBuffer kept = ByteBuffer.allocate(4096);
        records.filterTo(new MemoryRecords.RecordFilter(TIME, 1000) {
            @Override
            protected BatchRetentionResult checkBatchRetention(RecordBatch batch) {
                return new BatchRetentionResult(BatchRetention.RETAIN_EMPTY, false);
            }

            @Override
            protected boolean shouldRetainRecord(RecordBatch batch, Record record) {
                return record.offset() % 2 == 0;
            }
        }, kept, BufferSupplier.NO_CACHING, Integer.MAX_VALUE);
        kept.flip();
        return kept;
    }

    static void save(String name, ByteBuffer b) throws Exception {
        byte[] bytes = new byte[b.remaining()];
        b.duplicate().get(bytes);
        Files.write(out.resolve(name + ".bin"), bytes);
        Files.writeString(out.resolve(name + ".txt"), dump(ByteBuffer.wrap(bytes)));
    }

    /* For a batch whose maxTimestamp the broker would set. */
    static void save(String name, ByteBuffer b, long appendTime) throws Exception {
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(b.duplicate()).batches())
            batch.setMaxTimestamp(TimestampType.LOG_APPEND_TIME, appendTime);
        save(name, b);
    }

    // ---- what is in a batch -----------------------------------------------------------------------------------

    static String hex(ByteBuffer b) {
        if (b == null)
            return "null";
        byte[] bytes = new byte[b.remaining()];
        b.duplicate().get(bytes);
        if (bytes.length <= 32)
            return "'" + HexFormat.of().formatHex(bytes) + "'";
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return String.format("%d bytes, crc %08x", bytes.length, crc.getValue());
    }

    static String dump(ByteBuffer b) {
        StringBuilder s = new StringBuilder();
        for (MutableRecordBatch m : MemoryRecords.readableRecords(b).batches()) {
            DefaultRecordBatch batch = (DefaultRecordBatch) m;
            batch.ensureValid();
            s.append(String.format("batch offsets %d..%d, %d bytes, epoch %d, crc %08x, codec %s%s%s%s%s%n",
                batch.baseOffset(), batch.lastOffset(), batch.sizeInBytes(), batch.partitionLeaderEpoch(),
                batch.checksum(), batch.compressionType().name,
                batch.timestampType() == TimestampType.LOG_APPEND_TIME ? ", append time" : "",
                batch.isTransactional() ? ", transactional" : "", batch.isControlBatch() ? ", control" : "",
                batch.deleteHorizonMs().isPresent() ? ", delete horizon" : ""));
            s.append(String.format("      times %d..%d, producer %d/%d, sequences %d..%d, %d records%n",
                batch.baseTimestamp(), batch.maxTimestamp(), batch.producerId(), batch.producerEpoch(),
                batch.baseSequence(), batch.lastSequence(), batch.countOrNull()));
            for (Record r : batch)
                dump(s, r);
        }
        return s.toString();
    }

    static void dump(StringBuilder s, Record r) {
        s.append(String.format("  %d at %d: key %s, value %s%n", r.offset(), r.timestamp(), hex(r.key()),
            hex(r.value())));
        for (Header h : r.headers())
            s.append(String.format("    %s = %s%n", hex(ByteBuffer.wrap(text(h.key()))),
                hex(h.value() == null ? null : ByteBuffer.wrap(h.value()))));
    }

    // ---- what a producer may send -----------------------------------------------------------------------------

    static StringBuilder verdicts = new StringBuilder();

    /* A record's bytes, each field to be spoiled on its own. */
    static class Fields {
        int attributes = 0, offsetDelta = 0, keyLength = 3, valueLength = 5, headerCount = 1;
        int headerKeyLength = 1, headerValueLength = 2, lengthError = 0;
        long timestampDelta = 0;

        byte[] bytes() throws Exception {
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            java.io.DataOutputStream d = new java.io.DataOutputStream(body);
            d.writeByte(attributes);
            ByteUtils.writeVarlong(timestampDelta, d);
            ByteUtils.writeVarint(offsetDelta, d);
            ByteUtils.writeVarint(keyLength, d);
            d.write(new byte[Math.max(0, Math.min(keyLength, 3))]);
            ByteUtils.writeVarint(valueLength, d);
            d.write(new byte[Math.max(0, Math.min(valueLength, 5))]);
            ByteUtils.writeVarint(headerCount, d);
            if (headerCount > 0) {
                ByteUtils.writeVarint(headerKeyLength, d);
                d.write(new byte[Math.max(0, Math.min(headerKeyLength, 1))]);
                ByteUtils.writeVarint(headerValueLength, d);
                d.write(new byte[Math.max(0, Math.min(headerValueLength, 2))]);
            }
            ByteArrayOutputStream whole = new ByteArrayOutputStream();
            ByteUtils.writeVarint(body.size() + lengthError, new java.io.DataOutputStream(whole));
            whole.write(body.toByteArray());
            return whole.toByteArray();
        }
    }

    interface Spoil {
        void spoil(Fields first, Fields second);
    }

    interface SpoilHeader {
        void spoil(ByteBuffer b);
    }

    static void record(String name, Spoil spoil) throws Exception {
        Fields first = new Fields(), second = new Fields();
        second.offsetDelta = 1;
        spoil.spoil(first, second);
        judge(name, first.bytes(), second.bytes(), new byte[0], b -> { });
    }

    static void header(String name, SpoilHeader spoil) throws Exception {
        Fields first = new Fields(), second = new Fields();
        second.offsetDelta = 1;
        judge(name, first.bytes(), second.bytes(), new byte[0], spoil);
    }

    static void judge(String name, byte[] first, byte[] second, byte[] tail, SpoilHeader spoil) throws Exception {
        int size = DefaultRecordBatch.RECORD_BATCH_OVERHEAD + first.length + second.length + tail.length;
        ByteBuffer b = ByteBuffer.allocate(size);
        b.putInt(8, size - 12).put(16, (byte) 2).putInt(23, 1).putLong(27, TIME).putLong(35, TIME);
        b.putLong(43, -1).putShort(51, (short) -1).putInt(53, -1).putInt(57, 2);
        b.position(61).put(first).put(second).put(tail);
        spoil.spoil(b);
        CRC32C crc = new CRC32C();
        crc.update(b.array(), 21, size - 21);
        b.putInt(17, (int) crc.getValue());
        Files.write(out.resolve("produced/" + name + ".bin"), b.array());
        verdicts.append(name).append(' ').append(validate(b.rewind())).append('\n');
    }

    static String validate(ByteBuffer b) {
        LogValidator.MetricsRecorder metrics = new LogValidator.MetricsRecorder() {
            public void recordInvalidMagic() { }
            public void recordInvalidOffset() { }
            public void recordInvalidSequence() { }
            public void recordInvalidChecksums() { }
            public void recordNoKeyCompactedTopic() { }
        };
        try {
            MemoryRecords records = MemoryRecords.readableRecords(b);
            for (MutableRecordBatch batch : records.batches())
                batch.ensureValid();
            new LogValidator(records, new TopicPartition("t", 0), Time.SYSTEM, CompressionType.NONE, Compression.NONE,
                false, RecordBatch.MAGIC_VALUE_V2, TimestampType.CREATE_TIME, Long.MAX_VALUE, Long.MAX_VALUE, 0,
                AppendOrigin.CLIENT).validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(0), metrics,
                BufferSupplier.NO_CACHING);
            return "accepted";
        } catch (Exception e) {
            return e.getClass().getSimpleName();
        }
    }

    static void produced() throws Exception {
        record("good", (a, b) -> { });
        record("record-attributes-set", (a, b) -> a.attributes = 0xff);
        record("null-key", (a, b) -> a.keyLength = -1);
        record("null-value", (a, b) -> a.valueLength = -1);
        record("key-length-minus-2", (a, b) -> a.keyLength = -2);
        record("value-length-minus-1000", (a, b) -> a.valueLength = -1000);
        record("key-longer-than-record", (a, b) -> a.keyLength = 30);
        record("key-longer-than-batch", (a, b) -> a.keyLength = 1 << 30);
        record("value-longer-than-record", (a, b) -> b.valueLength = 60);
        record("header-count-negative", (a, b) -> a.headerCount = -1);
        record("header-count-too-large", (a, b) -> b.headerCount = 2);
        record("header-count-huge", (a, b) -> a.headerCount = Integer.MAX_VALUE);
        record("no-headers", (a, b) -> a.headerCount = 0);
        record("null-header-key", (a, b) -> a.headerKeyLength = -1);
        record("empty-header-key", (a, b) -> a.headerKeyLength = 0);
        record("null-header-value", (a, b) -> a.headerValueLength = -1);
        record("header-value-too-long", (a, b) -> b.headerValueLength = 3);
        record("length-one-more", (a, b) -> a.lengthError = 1);
        record("length-one-less", (a, b) -> a.lengthError = -1);
        record("last-length-one-more", (a, b) -> b.lengthError = 1);
        record("last-length-one-less", (a, b) -> b.lengthError = -1);
        record("length-negative", (a, b) -> a.lengthError = -100);
        record("timestamp-delta-large", (a, b) -> a.timestampDelta = 1L << 40);
        record("timestamp-delta-minus-1", (a, b) -> a.timestampDelta = -1);
        record("offset-delta-from-1", (a, b) -> { a.offsetDelta = 1; b.offsetDelta = 2; });
        record("offset-delta-twice", (a, b) -> b.offsetDelta = 0);
        record("offset-delta-gap", (a, b) -> b.offsetDelta = 2);
        header("count-0", b -> b.putInt(57, 0));
        header("count-negative", b -> b.putInt(57, -1));
        header("count-1-of-2", b -> b.putInt(57, 1));
        header("count-3-of-2", b -> b.putInt(57, 3));
        header("count-and-range-3-of-2", b -> b.putInt(57, 3).putInt(23, 2));
        header("count-and-range-1-of-2", b -> b.putInt(57, 1).putInt(23, 0));
        header("range-negative", b -> b.putInt(23, -1));
        header("range-negative-count-0", b -> b.putInt(23, -1).putInt(57, 0));
        header("control", b -> b.putShort(21, (short) 0x20));
        header("transactional", b -> b.putShort(21, (short) 0x10).putLong(43, 9).putShort(51, (short) 0).putInt(53, 0));
        header("delete-horizon", b -> b.putShort(21, (short) 0x40));
        header("attribute-bits-unused", b -> b.putShort(21, (short) 0x7f00));
        header("codec-5", b -> b.putShort(21, (short) 5));
        header("codec-7", b -> b.putShort(21, (short) 7));
        header("producer-without-sequence", b -> b.putLong(43, 9).putShort(51, (short) 0));
        header("sequence-negative", b -> b.putLong(43, 9).putShort(51, (short) 0).putInt(53, -5));
        header("sequence-without-producer", b -> b.putInt(53, 12));
        header("max-timestamp-wrong", b -> b.putLong(35, 5));
        Fields first = new Fields(), second = new Fields();
        second.offsetDelta = 1;
        judge("bytes-behind-records", first.bytes(), second.bytes(), new byte[1], b -> { });
        Files.writeString(out.resolve("produced/verdicts.txt"), verdicts.toString());
    }
}
