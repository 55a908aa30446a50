/* A window in C on libpq, as programs in C, C++, Delphi, PHP or Perl have it beneath. It reads what it shall do from
 * standard input, a line each, and answers with a line each; window.py says the words. */

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE "SELECT current_setting('port')"
#define CHARGE "INSERT INTO op.charge (total, who) VALUES ($1, $2) RETURNING current_setting('port')"
#define TYPED "SELECT 'cash'::op.pay, ROW('aspirin', 12.3456)::op.part"

static const char *string;

static struct {
    char name[64];
    PGconn *connection;
} kept[16];

static PGconn **find(const char *name)
{
    size_t i = 0;
    while (kept[i].connection != NULL && strcmp(kept[i].name, name) != 0)
        i++;
    snprintf(kept[i].name, sizeof kept[i].name, "%s", name);
    return &kept[i].connection;
}

static void failed(const char *call, const char *sqlstate, const char *text)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    printf("failed %s %s \"", call, sqlstate != NULL ? sqlstate : "-");
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            fputs(" / ", stdout);
        else if (text[i] != '\t')
            putchar(text[i]);
    }
    puts("\"");
}

/* Gives the first value, or NULL and has said why not. */
static char *run(PGconn *connection, const char *sql, const char *total, const char *who)
{
    static char value[64];
    const char *values[] = {total, who};
    PGresult *result = PQexecParams(connection, sql, who != NULL ? 2 : 0, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        const char *bad = PQstatus(connection) == CONNECTION_BAD ? "CONNECTION_BAD" : "CONNECTION_OK";
        failed(bad, state, PQerrorMessage(connection));
        PQclear(result);
        return NULL;
    }
    snprintf(value, sizeof value, "%s", status == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return value;
}

static PGconn *open_one(void)
{
    PGconn *connection = PQconnectdb(string);
    if (PQstatus(connection) == CONNECTION_OK)
        return connection;
    failed("CONNECTION_BAD", NULL, PQerrorMessage(connection));
    PQfinish(connection);
    return NULL;
}

static void once(const char *who)
{
    char *port, on[64];
    PGconn *connection = open_one();
    if (connection == NULL)
        return;
    if (run(connection, "BEGIN", NULL, NULL) != NULL && (port = run(connection, CHARGE, "1", who)) != NULL) {
        snprintf(on, sizeof on, "%s", port);
        if (run(connection, "COMMIT", NULL, NULL) != NULL)
            printf("committed on %s\n", on);
    }
    PQfinish(connection);
}

static void typed(void)
{
    PGconn *connection = open_one();
    if (connection == NULL)
        return;
    PGresult *result = PQexec(connection, TYPED);
    printf("%s %s\n", PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
    PQclear(result);
    PQfinish(connection);
}

int main(int count, char **arguments)
{
    char line[256], verb[32] = "", first[64], second[64];
    string = arguments[count - 1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("libpq %d\n", PQlibVersion() / 10000);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *port = NULL;
        first[0] = second[0] = '\0';
        sscanf(line, "%31s %63s %63s", verb, first, second);
        if (strcmp(verb, "once") == 0) {
            once(first);
            continue;
        }
        if (strncmp(verb, "typed", 5) == 0) {
            typed();
            continue;
        }
        PGconn **connection = find(first);
        if (strcmp(verb, "keep") == 0) {
            if (*connection != NULL)
                PQfinish(*connection);
            if ((*connection = open_one()) != NULL && (port = run(*connection, SIDE, NULL, NULL)) != NULL)
                printf("on %s\n", port);
        } else if (strcmp(verb, "put") == 0) {
            if (run(*connection, "BEGIN", NULL, NULL) != NULL && run(*connection, CHARGE, "1", second) != NULL &&
                (port = run(*connection, CHARGE, "2", second)) != NULL)
                printf("not yet committed on %s\n", port);
        } else if (strcmp(verb, "wait") == 0) {
            if (run(*connection, "SELECT pg_sleep(60)", NULL, NULL) != NULL)
                puts("done");
        } else if (strcmp(verb, "commit") == 0) {
            if (run(*connection, "COMMIT", NULL, NULL) != NULL)
                puts("committed");
        } else if (strcmp(verb, "ask") == 0) {
            if ((port = run(*connection, SIDE, NULL, NULL)) != NULL)
                printf("on %s\n", port);
        } else if (strcmp(verb, "state") == 0) {
            puts(PQstatus(*connection) == CONNECTION_OK ? "CONNECTION_OK" : "CONNECTION_BAD");
        } else {
            printf("no such word %s\n", verb);
        }
    }
    return 0;
}
