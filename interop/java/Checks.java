import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** How a check is run and how its result is told: "ok NAME", or "not ok NAME — reason". */
final class Checks {
    static final Duration WAIT_MAX = Duration.ofSeconds(30);

    /** What a check does; it fails by throwing. */
    interface Body {
        void run() throws Exception;
    }

    private int failed;

    boolean anyFailed() {
        return failed > 0;
    }

    void check(String name, Body body) {
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Exception | AssertionError error) {
            failed += 1;
            System.out.println("not ok " + name + " — " + cause(error).toString().replaceAll("\\s+", " "));
        }
    }

    /** Every wait of every check is this one, so that each has an end. */
    static <T> T await(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(WAIT_MAX.toSeconds(), TimeUnit.SECONDS);
    }

    /** What the stage fails with; its success is a failure. */
    static Throwable failureOf(CompletableFuture<?> stage) throws Exception {
        try {
            throw new AssertionError("no failure, but " + await(stage));
        } catch (ExecutionException error) {
            return cause(error);
        }
    }

    static void equal(String what, Object found, Object wanted) {
        if (!Objects.equals(found, wanted)) {
            throw new AssertionError(what + ": found " + found + ", wanted " + wanted);
        }
    }

    /** Like {@code equal}, for payloads too long to print. */
    static void sameBytes(String what, byte[] found, byte[] wanted) {
        int first = Arrays.mismatch(found, wanted);
        if (first >= 0) {
            throw new AssertionError(
                    what + ": " + found.length + " bytes instead of " + wanted.length + ", different from byte " + first + " on");
        }
    }

    private static Throwable cause(Throwable error) {
        boolean wrapped = error instanceof ExecutionException || error instanceof CompletionException;
        return wrapped && error.getCause() != null ? cause(error.getCause()) : error;
    }
}
