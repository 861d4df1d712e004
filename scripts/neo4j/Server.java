import static org.neo4j.configuration.GraphDatabaseSettings.SYSTEM_DATABASE_NAME;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.neo4j.configuration.Config;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.connectors.ConnectorPortRegister;
import org.neo4j.configuration.connectors.ConnectorType;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;
import org.neo4j.graphdb.config.Setting;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * Runs Neo4j servers, each with a directory and a Bolt port of its own, in one process.
 *
 * <pre>java -cp "lib/*" Server.java CONFIG DIRECTORY PORT [DIRECTORY PORT ...]</pre>
 *
 * CONFIG is a file in the form of neo4j.conf; it holds for all of them. Port 0 takes a free one.
 * When all are up, one line of JSON for each goes to standard output. They end when standard input
 * closes, so that they never outlive the process that started them, and on SIGTERM or Ctrl-C.
 *
 * The variable CIRCUITKB_NEO4J_PASSWORD, where CONFIG asks for authentication, becomes the password
 * of the user neo4j.
 */
public final class Server {
    private static final String HOST = "127.0.0.1";

    public static void main(String[] arguments) throws Exception {
        Path config = Path.of(arguments[0]);
        List<CompletableFuture<DatabaseManagementService>> starting = new ArrayList<>();
        for (int next = 1; next < arguments.length; next += 2) {
            Path directory = Path.of(arguments[next]).toAbsolutePath();
            int port = Integer.parseInt(arguments[next + 1]);
            starting.add(CompletableFuture.supplyAsync(
                    () -> start(config, directory, port), task -> new Thread(task).start()));
        }
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            starting.parallelStream().forEach(server -> server.thenAccept(
                    DatabaseManagementService::shutdown).exceptionally(failed -> null).join());
            ended.countDown();
        }));
        Thread watch = new Thread(Server::endWithStandardInput);
        watch.setDaemon(true);
        watch.start();
        for (int number = 0; number < starting.size(); number++) {
            DatabaseManagementService server;
            try {
                server = starting.get(number).join();
            } catch (RuntimeException failed) {
                failed.printStackTrace();
                System.exit(1);
                return;
            }
            System.out.printf("{\"address\": \"bolt://%s:%d\"}%n", HOST, port(server));
        }
        System.out.flush();
        ended.await();
    }

    private static DatabaseManagementService start(Path config, Path directory, int port) {
        Config settings = Config.newBuilder()
                .set(GraphDatabaseSettings.neo4j_home, directory)
                .fromFile(config)
                .build();
        boolean authenticated = settings.get(GraphDatabaseSettings.auth_enabled);
        DatabaseManagementService server = new DatabaseManagementServiceBuilder(directory)
                .loadPropertiesFromFile(config)
                .setConfig(BoltConnector.enabled, true)
                .setConfig(BoltConnector.listen_address, new SocketAddress(HOST, port))
                .build();
        if (authenticated) {
            server.database(SYSTEM_DATABASE_NAME).executeTransactionally(
                    "ALTER USER neo4j SET PASSWORD $password CHANGE NOT REQUIRED",
                    Map.of("password", System.getenv("CIRCUITKB_NEO4J_PASSWORD")));
        }
        return server;
    }

    /** Where the server listens, also when it was given port 0. */
    private static int port(DatabaseManagementService server) {
        return ((GraphDatabaseAPI) server.database(SYSTEM_DATABASE_NAME))
                .getDependencyResolver()
                .resolveDependency(ConnectorPortRegister.class)
                .getLocalAddress(ConnectorType.BOLT)
                .getPort();
    }

    private static void endWithStandardInput() {
        try {
            while (System.in.read() >= 0) {}
        } catch (IOException closed) {
            // The same as its end.
        }
        System.exit(0);
    }
}
