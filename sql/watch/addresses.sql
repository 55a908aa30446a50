-- At which address this server was reached, and from which; both NULL by a Unix socket.
SELECT pg_catalog.inet_server_addr(), pg_catalog.inet_client_addr();
