import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main methods of command-line tools one after the other in one JVM, because starting a JVM for each costs a second.
 *
 * A request on standard input: class name and arguments (a count, then strings of length and bytes), then what the tool finds
 * on its own standard input. The answer on standard output: the exit code, what it printed, what it complained of.
 */
public final class ToolServer {
    /** Stands for the end of the process. */
    private static final class Exited extends RuntimeException {
        private static final long serialVersionUID = 1;

        Exited() {
            super(null, null, false, false);
        }
    }

    /** Passes on to whatever is the target now: some tools keep the stream that they found first. */
    private static final class Redirected extends OutputStream {
        private volatile ByteArrayOutputStream target = new ByteArrayOutputStream();

        ByteArrayOutputStream begin() {
            target = new ByteArrayOutputStream();
            return target;
        }

        @Override
        public void write(int b) {
            target.write(b);
        }

        @Override
        public void write(byte[] bytes, int from, int n) {
            target.write(bytes, from, n);
        }
    }

    private static final int RUNNING = -1;

    private static final List<Runnable> atExit = new ArrayList<>();
    private static int exitCode; // the first one counts: tools catch what ends them, and end again with another code

    private ToolServer() {
    }

    public static void main(String[] args) throws IOException {
        DataInputStream requests = new DataInputStream(new BufferedInputStream(System.in));
        DataOutputStream answers = new DataOutputStream(new BufferedOutputStream(System.out));
        Redirected out = new Redirected();
        Redirected err = new Redirected();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((code, message) -> end(code));
        Exit.setHaltProcedure((code, message) -> end(code));
        Exit.setShutdownHookAdder((name, hook) -> atExit.add(hook));
        while (serve(requests, answers, out, err))
            answers.flush();
    }

    private static boolean serve(DataInputStream requests, DataOutputStream answers, Redirected out, Redirected err)
        throws IOException {
        int n;
        try {
            n = requests.readInt();
        } catch (EOFException end) {
            return false;
        }
        String name = new String(bytes(requests), StandardCharsets.UTF_8);
        String[] args = new String[n - 1];
        for (int i = 0; i < args.length; i++)
            args[i] = new String(bytes(requests), StandardCharsets.UTF_8);
        System.setIn(new ByteArrayInputStream(bytes(requests)));
        ByteArrayOutputStream printed = out.begin();
        ByteArrayOutputStream complained = err.begin();
        answers.writeInt(call(name, args));
        System.out.flush();
        System.err.flush();
        for (ByteArrayOutputStream stream : List.of(printed, complained)) {
            byte[] bytes = stream.toByteArray();
            answers.writeInt(bytes.length);
            answers.write(bytes);
        }
        return true;
    }

    private static byte[] bytes(DataInputStream requests) throws IOException {
        byte[] bytes = new byte[requests.readInt()];
        requests.readFully(bytes);
        return bytes;
    }

    private static void end(int code) {
        if (exitCode == RUNNING)
            exitCode = code;
        throw new Exited();
    }

    private static int call(String name, String[] args) {
        exitCode = RUNNING;
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException thrown) {
            failed(thrown.getCause());
        } catch (ReflectiveOperationException error) {
            failed(error);
        }
        int code = exitCode == RUNNING ? 0 : exitCode;
        atExit.forEach(Runnable::run);
        atExit.clear();
        return code;
    }

    private static void failed(Throwable error) {
        if (exitCode != RUNNING)
            return;
        error.printStackTrace();
        exitCode = 1;
    }
}
