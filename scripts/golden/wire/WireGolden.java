import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageSizeAccumulator;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Writes messages with Apache Kafka's own classes. Reads lines "name version" and prints for each
 * "name version defaults HEX", "name version named HEX" and "name version nulls HEX". In the second
 * every field that the version has holds a value made of its own name (see hash), so that a reader
 * can tell whether it found each field in its place; arrays have one struct or two values. The third
 * is the second with null wherever the version has null.
 */
public final class WireGolden {
    private static final String[] PLACES = {
        "org.apache.kafka.common.message.%sData", "org.apache.kafka.common.message.%s",
        "org.apache.kafka.common.metadata.%s", "org.apache.kafka.coordinator.group.generated.%s",
        "org.apache.kafka.coordinator.transaction.generated.%s",
        "org.apache.kafka.coordinator.share.generated.%s",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.%s",
    };

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            Class<?> type = find(words[0]);
            short version = Short.parseShort(words[1]);
            print(line, "defaults", (Message) type.getConstructor().newInstance(), version);
            print(line, "named", filled(type, version, false), version);
            print(line, "nulls", filled(type, version, true), version);
        }
    }

    private static Class<?> find(String name) throws ClassNotFoundException {
        for (String place : PLACES) {
            try {
                return Class.forName(String.format(place, name));
            } catch (ClassNotFoundException e) {
                // the next place
            }
        }
        throw new ClassNotFoundException(name);
    }

    private static void print(String line, String what, Message message, short version) {
        byte[] bytes;
        try {
            bytes = written(message, version);
        } catch (NullPointerException e) { // a default of null where this version has no null
            return;
        }
        String hex = bytes.length == 0 ? "-" : HexFormat.of().formatHex(bytes);
        System.out.println(line + " " + what + " " + hex);
    }

    private static byte[] written(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        MessageSizeAccumulator size = new MessageSizeAccumulator();
        message.addSize(size, cache, version);
        ByteBuffer buffer = ByteBuffer.allocate(size.totalSize());
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining())
            throw new IllegalStateException("size and write differ");
        return buffer.array();
    }

    private static Message filled(Class<?> type, short version, boolean nulls) throws Exception {
        Message message = (Message) type.getConstructor().newInstance();
        for (Field field : type.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || field.getName().startsWith("_")
                || isLink(field))
                continue;
            field.setAccessible(true);
            Object before = field.get(message);
            boolean could = writable(message, version);
            field.set(message, value(field.getName(), field.getGenericType(), version, nulls));
            if (could && !writable(message, version)) // the version lacks the field
                field.set(message, before);
        }
        if (nulls)
            setNulls(message, version);
        return message;
    }

    private static void setNulls(Message message, short version) throws Exception {
        for (Field field : message.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || field.getName().startsWith("_")
                || field.getType().isPrimitive() || field.getType() == Uuid.class)
                continue;
            field.setAccessible(true);
            Object before = field.get(message);
            field.set(message, null);
            try {
                written(message, version);
            } catch (NullPointerException | UnsupportedVersionException e) { // no null here
                field.set(message, before);
            }
        }
    }

    private static boolean isLink(Field field) {
        return field.getName().equals("next") && field.getType() == int.class
            || field.getName().equals("prev") && field.getType() == int.class;
    }

    private static boolean writable(Message message, short version) {
        try {
            written(message, version);
            return true;
        } catch (UnsupportedVersionException e) {
            return false;
        } catch (NullPointerException e) {
            return true; // some other field is not filled yet
        }
    }

    private static String plain(String name) {
        return name.toLowerCase(Locale.ROOT).replace("_", "");
    }

    private static int hash(String name) {
        return plain(name).hashCode();
    }

    private static Object value(String name, Type generic, short version, boolean nulls)
        throws Exception {
        Class<?> type = (Class<?>) (generic instanceof ParameterizedType p ? p.getRawType() : generic);
        byte[] bytes = plain(name).getBytes(StandardCharsets.UTF_8);
        int h = hash(name);
        if (type == byte.class || type == Byte.class) return (byte) h;
        if (type == short.class || type == Short.class) return (short) h;
        if (type == int.class || type == Integer.class) return h;
        if (type == long.class || type == Long.class) return (long) h * 31;
        if (type == double.class) return h / 8.0;
        if (type == boolean.class) return true;
        if (type == String.class) return plain(name);
        if (type == byte[].class) return bytes;
        if (type == ByteBuffer.class) return ByteBuffer.wrap(bytes);
        if (type == Uuid.class) return new Uuid(h, (long) h * 31);
        if (type.getSimpleName().equals("BaseRecords")) return records(name); // its package moved
        if (Message.class.isAssignableFrom(type)) return filled(type, version, nulls);
        if (List.class.isAssignableFrom(type)) return list(name, generic, version, nulls);
        return collection(type, version, nulls);
    }

    private static Object records(String name) throws Exception {
        ByteBuffer bytes = ByteBuffer.wrap(plain(name).getBytes(StandardCharsets.UTF_8));
        Class<?> type;
        try {
            type = Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
        } catch (ClassNotFoundException e) {
            type = Class.forName("org.apache.kafka.common.record.MemoryRecords");
        }
        return type.getMethod("readableRecords", ByteBuffer.class).invoke(null, bytes);
    }

    private static List<Object> list(String name, Type generic, short version, boolean nulls)
        throws Exception {
        Type element = ((ParameterizedType) generic).getActualTypeArguments()[0];
        List<Object> result = new ArrayList<>();
        result.add(value(name, element, version, nulls));
        if (!Message.class.isAssignableFrom((Class<?>) element))
            result.add(value(name + "2", element, version, nulls));
        return result;
    }

    // A collection with keys: its add method takes the element's type.
    private static Object collection(Class<?> type, short version, boolean nulls)
        throws Exception {
        Object result = type.getConstructor().newInstance();
        ParameterizedType parent = (ParameterizedType) type.getGenericSuperclass();
        Class<?> element = (Class<?>) parent.getActualTypeArguments()[0];
        for (Method method : type.getMethods()) {
            if (method.getName().equals("add") && method.getParameterCount() == 1) {
                method.invoke(result, filled(element, version, nulls));
                return result;
            }
        }
        throw new IllegalStateException(type.getName());
    }
}
