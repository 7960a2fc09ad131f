import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** What must hold on every route that answers with what it got. */
final class Relay {
    private static final int MIB = 1 << 20;
    private static final int[] SIZES = {0, 1, 125, 126, 127, 65_535, 65_536, MIB};
    private static final int LARGE_BYTES = 16 * MIB;
    private static final int CONNECTIONS = 50;
    private static final int MESSAGES_PER_CONNECTION = 10;
    private static final int GATEWAY_PINGS = 3;

    private final Peer peer;
    private final String path;
    /** Over WebSocket an echo is one message of the same kind; over TCP only the bytes and their order remain. */
    private final boolean keepsMessages;

    Relay(Peer peer, String path, boolean keepsMessages) {
        this.peer = peer;
        this.path = path;
        this.keepsMessages = keepsMessages;
    }

    void all(Checks checks, String name) {
        checks.check(name + ": sizes up to 1 MiB", this::sizes);
        checks.check(name + ": text", this::text);
        checks.check(name + ": fragments, with pings between them", this::fragments);
        checks.check(name + ": a text in fragments", this::textFragments);
        checks.check(name + ": 16 MiB in one frame and in many", this::large);
        checks.check(name + ": the gateway's own pings are answered", this::gatewayPings);
        checks.check(name + ": " + CONNECTIONS + " connections at once", this::manyAtOnce);
    }

    private void sizes() throws Exception {
        Connection connection = peer.open(path);
        for (int size : SIZES) {
            byte[] data = random(size, size);
            connection.send(data);
            Checks.sameBytes(size + " bytes", echo(connection, size), data);
        }
        Checks.equal("ending", connection.close(1000, "done"), new Connection.Ending(1000, "done"));
    }

    private void text() throws Exception {
        Connection connection = peer.open(path);
        String words = "aé€𝄞".repeat(20_000);
        connection.send(words);
        sameText(connection, words);
        connection.close(1000, "");
    }

    private void fragments() throws Exception {
        Connection connection = peer.open(path);
        byte[] data = random(1, 100_000);
        Random cuts = new Random(1);
        int pings = 0;
        for (int start = 0; start < data.length; ) {
            int end = Math.min(data.length, start + cuts.nextInt(4000));
            connection.fragment(Arrays.copyOfRange(data, start, end), end == data.length);
            connection.ping(new byte[] {(byte) ++pings});
            start = end;
        }
        Checks.sameBytes("echo", echo(connection, data.length), data);
        // Of several pings only the newest has to be answered, but none out of turn.
        for (int answered = 0; answered < pings; ) {
            byte[] pong = Connection.next(connection.pongs);
            Checks.equal("a Pong before that of ping " + pings, pong != null && (pong[0] & 0xff) > answered, true);
            answered = pong[0] & 0xff;
        }
        connection.close(1000, "");
    }

    private void textFragments() throws Exception {
        Connection connection = peer.open(path);
        String[] parts = {"", "a", "é€", "𝄞".repeat(1000), "", "end"};
        for (int i = 0; i < parts.length; i++) {
            connection.fragment(parts[i], i == parts.length - 1);
        }
        sameText(connection, String.join("", parts));
        connection.close(1000, "");
    }

    private void large() throws Exception {
        Connection connection = peer.open("/large" + path);
        byte[] data = random(2, LARGE_BYTES);
        connection.send(data);
        Checks.sameBytes("from one frame", echo(connection, data.length), data);
        for (int start = 0; start < data.length; start += MIB) {
            connection.fragment(Arrays.copyOfRange(data, start, start + MIB), start + MIB == data.length);
        }
        Checks.sameBytes("from 16 frames", echo(connection, data.length), data);
        connection.close(1000, "");
    }

    /** Were an answer missing or wrong, the gateway would close with 1011 before it sends another. */
    private void gatewayPings() throws Exception {
        Connection connection = peer.open("/pinged" + path);
        for (int i = 0; i < GATEWAY_PINGS; i++) {
            Checks.equal("a Ping in time", Connection.next(connection.pings) != null, true);
        }
        connection.send(random(3, 1000));
        Checks.sameBytes("echo", echo(connection, 1000), random(3, 1000));
        Checks.equal("ending", connection.close(1000, "").code(), 1000);
    }

    private void manyAtOnce() throws Exception {
        List<Connection> connections = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            connections.add(peer.open(path));
        }
        ExecutorService threads = Executors.newFixedThreadPool(CONNECTIONS);
        List<Callable<Void>> exchanges = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            int number = i;
            exchanges.add(() -> exchange(connections.get(number), number));
        }
        for (Future<Void> exchange : threads.invokeAll(exchanges)) {
            exchange.get();
        }
        threads.shutdown();
    }

    private Void exchange(Connection connection, int number) throws Exception {
        for (int message = 0; message < MESSAGES_PER_CONNECTION; message++) {
            byte[] data = random(number * 1000L + message, 1 + (number * 977 + message * 7919) % 20_000);
            connection.send(data);
            Checks.sameBytes("connection " + number + ", message " + message, echo(connection, data.length), data);
        }
        Checks.equal("ending", connection.close(1000, "").code(), 1000);
        return null;
    }

    private byte[] echo(Connection connection, int size) throws Exception {
        return keepsMessages ? connection.message().data() : connection.bytes(size);
    }

    /** From TCP bytes come back as the route's `message` says, binary by default. */
    private void sameText(Connection connection, String words) throws Exception {
        byte[] data = words.getBytes(StandardCharsets.UTF_8);
        if (!keepsMessages) {
            Checks.sameBytes("echo", connection.bytes(data.length), data);
            return;
        }
        Connection.Message message = connection.message();
        Checks.equal("is text", message.isText(), true);
        Checks.sameBytes("echo", message.data(), data);
    }

    private static byte[] random(long seed, int size) {
        byte[] data = new byte[size];
        new Random(seed).nextBytes(data);
        return data;
    }
}
