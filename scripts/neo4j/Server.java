import static org.neo4j.configuration.GraphDatabaseSettings.SYSTEM_DATABASE_NAME;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.connectors.ConnectorPortRegister;
import org.neo4j.configuration.connectors.ConnectorType;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * Runs Neo4j servers in one process, each with a directory and a Bolt port of its own.
 *
 * <pre>java -cp "lib/*" Server.java SETTINGS DIRECTORY PORT [DIRECTORY PORT ...]</pre>
 *
 * SETTINGS is a file in the form of neo4j.conf that holds for all of them. Port 0 takes a free one.
 * Where the variable CIRCUITKB_NEO4J_PASSWORD is set, it is the password of the user neo4j; else
 * nobody is asked for one.
 *
 * When all are up, a line of JSON for each goes to standard output. They end when standard input
 * closes, so that they never outlive the process that started them, and on SIGTERM or Ctrl-C.
 */
public final class Server {
    private static final String HOST = "127.0.0.1";
    private static final String PASSWORD = System.getenv("CIRCUITKB_NEO4J_PASSWORD");

    public static void main(String[] arguments) {
        Path settings = Path.of(arguments[0]);
        List<CompletableFuture<DatabaseManagementService>> servers = new ArrayList<>();
        for (int next = 1; next < arguments.length; next += 2) {
            Path directory = Path.of(arguments[next]);
            int port = Integer.parseInt(arguments[next + 1]);
            servers.add(CompletableFuture.supplyAsync(
                    () -> start(settings, directory, port), task -> new Thread(task).start()));
        }
        // A start that is under way is waited for, then undone: no directory is left half made.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> servers.parallelStream()
                .forEach(server -> server.thenAccept(DatabaseManagementService::shutdown)
                        .exceptionally(failed -> null)
                        .join())));
        new Thread(() -> announce(servers)).start();
        waitForEndOfInput();
        System.exit(0);
    }

    private static DatabaseManagementService start(Path settings, Path directory, int port) {
        DatabaseManagementService server = new DatabaseManagementServiceBuilder(directory)
                .loadPropertiesFromFile(settings)
                .setConfig(GraphDatabaseSettings.auth_enabled, PASSWORD != null)
                .setConfig(BoltConnector.enabled, true)
                .setConfig(BoltConnector.listen_address, new SocketAddress(HOST, port))
                .build();
        if (PASSWORD != null) {
            // Until here the password is Neo4j's first one, with which nobody can do anything but
            // choose another.
            server.database(SYSTEM_DATABASE_NAME).executeTransactionally(
                    "CREATE OR REPLACE USER neo4j SET PASSWORD $password CHANGE NOT REQUIRED",
                    Map.of("password", PASSWORD));
        }
        return server;
    }

    private static void announce(List<CompletableFuture<DatabaseManagementService>> servers) {
        try {
            CompletableFuture.allOf(servers.toArray(CompletableFuture[]::new)).join();
        } catch (RuntimeException failed) {
            explain(failed.getCause());
            System.exit(1);
        }
        for (CompletableFuture<DatabaseManagementService> server : servers) {
            System.out.printf("{\"address\": \"bolt://%s:%d\"}%n", HOST, port(server.join()));
        }
    }

    /** Prints an error and its causes, but for those that only repeat what caused them. */
    private static void explain(Throwable error) {
        for (Throwable next; error != null; error = next) {
            next = error.getCause();
            if (next == null || !error.toString().contains(String.valueOf(next.getMessage()))) {
                System.out.println(error.getMessage() == null ? error : error.getMessage());
            }
        }
    }

    /** Where a server listens, also when it was given port 0. */
    private static int port(DatabaseManagementService server) {
        return ((GraphDatabaseAPI) server.database(SYSTEM_DATABASE_NAME))
                .getDependencyResolver()
                .resolveDependency(ConnectorPortRegister.class)
                .getLocalAddress(ConnectorType.BOLT)
                .getPort();
    }

    private static void waitForEndOfInput() {
        try {
            while (System.in.read() >= 0) {}
        } catch (IOException closed) {
            // As good as its end.
        }
    }
}
