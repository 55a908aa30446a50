import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;

/** A window on pgJDBC, and on HikariCP. It reads what it shall do a line each; window.py says the words. */
public final class Window {
    private static final String SIDE = "SELECT current_setting('port')";
    private static final String CHARGE =
        "INSERT INTO op.charge (total, who) VALUES (?, ?) RETURNING current_setting('port')";
    private static final String TYPED = "SELECT 'cash'::op.pay, ROW('aspirin', 12.3456)::op.part";

    private final String url;
    private final Map<String, Connection> kept = new HashMap<>();
    private HikariDataSource pool;

    private Window(String url) {
        this.url = url;
    }

    public static void main(String[] arguments) throws Exception {
        Window window = new Window(arguments[0]);
        System.out.println("pgJDBC " + org.postgresql.util.DriverInfo.DRIVER_VERSION
            + ", Java " + Runtime.version().feature());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String answer;
            try {
                answer = window.answer(line.trim().split(" "));
            } catch (SQLException e) {
                answer = "failed " + e.getClass().getSimpleName() + " " + (e.getSQLState() == null ? "-" : e.getSQLState())
                    + " \"" + String.join(" / ", e.getMessage().split("\n *")) + "\"";
            }
            System.out.println(answer);
        }
    }

    private String answer(String[] words) throws SQLException {
        switch (words[0]) {
            case "once":
                try (Connection connection = DriverManager.getConnection(url)) {
                    return once(connection, words[1]);
                }
            case "pool":
                try (Connection connection = pool().getConnection()) {
                    return once(connection, words[1]);
                }
            case "keep":
                Connection opened = DriverManager.getConnection(url);
                opened.setAutoCommit(false);
                kept.put(words[1], opened);
                return ask(opened);
            case "put":
                charge(kept.get(words[1]), 1, words[2]);
                return "not yet committed on " + charge(kept.get(words[1]), 2, words[2]);
            case "wait":
                kept.get(words[1]).createStatement().execute("SELECT pg_sleep(60)");
                return "done";
            case "commit":
                kept.get(words[1]).commit();
                return "committed";
            case "ask":
                return ask(kept.get(words[1]));
            case "state":
                Connection connection = kept.get(words[1]);
                return "isClosed " + connection.isClosed() + ", isValid " + connection.isValid(2);
            case "typed":
            case "typed-own":
                try (Connection reader = DriverManager.getConnection(url)) {
                    return typed(reader);
                }
            default:
                return "no such word " + words[0];
        }
    }

    private HikariDataSource pool() {
        if (pool == null) {
            HikariConfig config = new HikariConfig();
            config.setJdbcUrl(url);
            config.setMaximumPoolSize(1);
            config.setMaxLifetime(60_000);
            config.setConnectionTimeout(20_000);
            pool = new HikariDataSource(config);
        }
        return pool;
    }

    private static String once(Connection connection, String who) throws SQLException {
        connection.setAutoCommit(false);
        String port = charge(connection, 1, who);
        connection.commit();
        return "committed on " + port;
    }

    private static String charge(Connection connection, int total, String who) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(CHARGE)) {
            statement.setBigDecimal(1, BigDecimal.valueOf(total));
            statement.setString(2, who);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                return rows.getString(1);
            }
        }
    }

    private static String ask(Connection connection) throws SQLException {
        try (ResultSet rows = connection.createStatement().executeQuery(SIDE)) {
            rows.next();
            String port = rows.getString(1);
            connection.commit();
            return "on " + port;
        }
    }

    /** Six times, since from the fifth on the server has the statement prepared. */
    private static String typed(Connection connection) throws SQLException {
        String seen = "";
        try (PreparedStatement statement = connection.prepareStatement(TYPED)) {
            for (int turn = 0; turn < 6; turn++) {
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    Object pay = rows.getObject(1);
                    Object part = rows.getObject(2);
                    seen = pay.getClass().getSimpleName() + " " + pay + ", " + part.getClass().getSimpleName() + " " + part;
                }
            }
        }
        return seen;
    }
}
