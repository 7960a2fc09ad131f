import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The gateway as one listener of it is reached: its URL, and a client that trusts this run's authority alone. */
final class Peer {
    final String scheme;
    private final String url;
    private final HttpClient client;

    Peer(String scheme, String url, SSLContext tls) {
        this.scheme = scheme;
        this.url = url;
        client = HttpClient.newBuilder().sslContext(tls).build();
    }

    /** The same gateway for a client that trusts whom the system trusts, which is not this run's authority. */
    Peer trustingTheSystem() throws Exception {
        return new Peer(scheme, url, SSLContext.getDefault());
    }

    Connection open(String path) throws Exception {
        return open(path, builder -> builder);
    }

    Connection open(String path, UnaryOperator<WebSocket.Builder> options) throws Exception {
        Connection listener = new Connection();
        return Connection.open(opening(path, options, listener), listener);
    }

    /** The handshake alone; for those that are to fail. */
    CompletableFuture<WebSocket> opening(String path, UnaryOperator<WebSocket.Builder> options) {
        return opening(path, options, new Connection());
    }

    private CompletableFuture<WebSocket> opening(
            String path, UnaryOperator<WebSocket.Builder> options, Connection listener) {
        WebSocket.Builder builder = client.newWebSocketBuilder().connectTimeout(Checks.WAIT_MAX);
        return options.apply(builder).buildAsync(URI.create(url + path), listener);
    }

    static SSLContext trusting(Path authority) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream certificate = Files.newInputStream(authority)) {
            store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(certificate));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
