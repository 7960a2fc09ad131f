import java.net.URLEncoder;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.charset.StandardCharsets;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLException;

/** How connections begin and end: subprotocols, refusals, Close codes both ways. */
final class Handshakes {
    /** 1001 is not among them: this client may not send it. */
    private static final int[] CODES = {1000, 3000, 4999};
    private static final String REASON = "prêt";

    private final Peer peer;

    Handshakes(Peer peer) {
        this.peer = peer;
    }

    void all(Checks checks, String name) {
        for (String path : new String[] {"/tcp", "/echo", "/python/echo"}) {
            for (int code : CODES) {
                checks.check(name + " to " + path + ": client closes " + code, () -> clientCloses(path, code));
            }
        }
        for (int code : new int[] {1000, 1001, 3000, 4999}) {
            checks.check(name + " to /python/close: backend closes " + code, () -> backendCloses(code));
        }
        checks.check(name + " to /source: the backend's end is 1000, after all it sent", this::backendEnds);
        checks.check(name + ": subprotocol of the backend's choice, and of the gateway's", this::subprotocol);
        checks.check(name + ": 403 for a foreign origin", () -> refused("/tcp", 403, foreign()));
        checks.check(name + ": 404 for no route", () -> refused("/nowhere", 404, builder -> builder));
        checks.check(name + ": 502 for a backend that is not there", () -> refused("/absent", 502, builder -> builder));
        if (peer.scheme.equals("wss")) {
            checks.check(name + ": no connection without this run's authority", this::stranger);
        }
    }

    private void clientCloses(String path, int code) throws Exception {
        Connection connection = peer.open(path);
        connection.send("one");
        Checks.equal("echo", new String(connection.message().data(), StandardCharsets.UTF_8), "one");
        Checks.equal("answer", connection.close(code, REASON).code(), code);
    }

    private void backendCloses(int code) throws Exception {
        String reason = URLEncoder.encode(REASON, StandardCharsets.UTF_8);
        Connection connection = peer.open("/python/close?code=" + code + "&reason=" + reason);
        Connection.Message last = connection.message();
        Checks.equal("before the Close", new String(last.data(), StandardCharsets.UTF_8), "last words");
        Checks.equal("ending", Checks.await(connection.closed), new Connection.Ending(code, REASON));
    }

    private void backendEnds() throws Exception {
        Connection connection = peer.open("/source");
        connection.send("!");
        Checks.equal("bytes", connection.bytes(8 << 20).length, 8 << 20);
        Checks.equal("ending", Checks.await(connection.closed).code(), 1000);
    }

    private void subprotocol() throws Exception {
        UnaryOperator<WebSocket.Builder> offer = builder -> builder.subprotocols("unheard-of", "chat", "mqtt");
        Checks.equal("of the backend", peer.open("/python/echo", offer).subprotocol(), "chat");
        Checks.equal("of the gateway", peer.open("/tcp-mqtt-only", offer).subprotocol(), "mqtt");
        Checks.equal("none", peer.open("/python/echo").subprotocol(), "");
    }

    private void refused(String path, int status, UnaryOperator<WebSocket.Builder> options) throws Exception {
        Throwable failure = Checks.failureOf(peer.opening(path, options));
        if (!(failure instanceof WebSocketHandshakeException refusal)) {
            throw new AssertionError("not refused, but " + failure);
        }
        Checks.equal("status", refusal.getResponse().statusCode(), status);
    }

    private static UnaryOperator<WebSocket.Builder> foreign() {
        return builder -> builder.header("Origin", "https://elsewhere.example");
    }

    private void stranger() throws Exception {
        Throwable failure = Checks.failureOf(peer.trustingTheSystem().opening("/tcp", builder -> builder));
        Checks.equal("failed in TLS: " + failure, failure instanceof SSLException, true);
    }
}
