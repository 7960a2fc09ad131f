import java.io.ByteArrayOutputStream;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** One connection of java.net.http, with what it is told in queues. */
final class Connection implements WebSocket.Listener {
    /** One message, or one Ping or Pong. */
    record Message(boolean isText, byte[] data) {}

    /** A Close that was received; 1006: none was. */
    record Ending(int code, String reason) {}

    final LinkedBlockingQueue<byte[]> pings = new LinkedBlockingQueue<>();
    final LinkedBlockingQueue<byte[]> pongs = new LinkedBlockingQueue<>();
    final CompletableFuture<Ending> closed = new CompletableFuture<>();
    private final LinkedBlockingQueue<Message> messages = new LinkedBlockingQueue<>();
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream binary = new ByteArrayOutputStream();
    private WebSocket socket;

    static Connection open(CompletionStage<WebSocket> opening, Connection listener) throws Exception {
        listener.socket = Checks.await(opening);
        return listener;
    }

    String subprotocol() {
        return socket.getSubprotocol();
    }

    /** One message of one frame. */
    void send(byte[] data) throws Exception {
        fragment(data, true);
    }

    void send(String words) throws Exception {
        fragment(words, true);
    }

    void fragment(byte[] data, boolean last) throws Exception {
        Checks.await(socket.sendBinary(ByteBuffer.wrap(data), last));
    }

    void fragment(String words, boolean last) throws Exception {
        Checks.await(socket.sendText(words, last));
    }

    void ping(byte[] payload) throws Exception {
        Checks.await(socket.sendPing(ByteBuffer.wrap(payload)));
    }

    /** The Close that answers ours. */
    Ending close(int code, String reason) throws Exception {
        Checks.await(socket.sendClose(code, reason));
        return Checks.await(closed);
    }

    Message message() throws Exception {
        Message message = next(messages);
        if (message == null) {
            throw new AssertionError("no message, but " + closed.getNow(null));
        }
        return message;
    }

    /** {@code size} bytes, in as many binary messages as they come in. */
    byte[] bytes(int size) throws Exception {
        ByteArrayOutputStream all = new ByteArrayOutputStream(size);
        while (all.size() < size) {
            Message message = message();
            Checks.equal("a text message", message.isText, false);
            all.write(message.data);
        }
        return all.toByteArray();
    }

    /** The next element; null if there is none in time. */
    static <T> T next(LinkedBlockingQueue<T> queue) throws InterruptedException {
        return queue.poll(Checks.WAIT_MAX.toSeconds(), TimeUnit.SECONDS);
    }

    @Override
    public void onOpen(WebSocket opened) {
        opened.request(Long.MAX_VALUE);
    }

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
        text.append(data);
        if (last) {
            messages.add(new Message(true, text.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8)));
            text.setLength(0);
        }
        return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket from, ByteBuffer data, boolean last) {
        binary.writeBytes(copy(data));
        if (last) {
            messages.add(new Message(false, binary.toByteArray()));
            binary.reset();
        }
        return null;
    }

    @Override
    public CompletionStage<?> onPing(WebSocket from, ByteBuffer payload) {
        pings.add(copy(payload));
        return null; // the library answers
    }

    @Override
    public CompletionStage<?> onPong(WebSocket from, ByteBuffer payload) {
        pongs.add(copy(payload));
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
        closed.complete(new Ending(code, reason));
        return null; // the library answers
    }

    @Override
    public void onError(WebSocket from, Throwable error) {
        closed.complete(new Ending(1006, error.toString()));
    }

    private static byte[] copy(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }
}
