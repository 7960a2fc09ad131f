import java.nio.file.Path;
import javax.net.ssl.SSLContext;

/** java Client AUTHORITY WS_URL WSS_URL: what java.net.http makes of the gateway. The routes are in python/configuration.py. */
final class Client {
    public static void main(String[] arguments) throws Exception {
        SSLContext tls = Peer.trusting(Path.of(arguments[0]));
        Checks checks = new Checks();
        for (String url : new String[] {arguments[1], arguments[2]}) {
            Peer peer = new Peer(url.substring(0, url.indexOf(':')), url, tls);
            String name = "java " + peer.scheme;
            new Relay(peer, "/tcp", false).all(checks, name + " to tcp");
            new Relay(peer, "/echo", true).all(checks, name + " to the built-in echo");
            new Relay(peer, "/python/echo", true).all(checks, name + " to python backend");
            new Handshakes(peer).all(checks, name);
        }
        // Connections that a failed check left open must not keep this process alive.
        System.exit(checks.anyFailed() ? 1 : 0);
    }
}
