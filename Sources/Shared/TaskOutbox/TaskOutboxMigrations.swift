package import Postgres

/// The tables of the outbox and the leases, for the list of the service that uses them.
///
/// Their numbers begin at 9001 so that they never meet a service's own.
package enum TaskOutboxMigrations {
    package static let all: [Migration] = [
        Migration(
            number: 9001,
            name: "CreateOutbox",
            sql: """
                CREATE TABLE outbox (
                    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    task uuid NOT NULL,
                    queue text NOT NULL,
                    name text NOT NULL,
                    version integer NOT NULL,
                    payload jsonb NOT NULL,
                    created timestamptz NOT NULL DEFAULT now()
                );
                """),
        Migration(
            number: 9002,
            name: "CreateLeases",
            sql: """
                CREATE TABLE leases (
                    key text PRIMARY KEY,
                    holder text NOT NULL,
                    fence bigint NOT NULL,
                    expires timestamptz NOT NULL
                );
                """),
        Migration(
            number: 9003,
            name: "AddOutboxDeadline",
            sql: "ALTER TABLE outbox ADD COLUMN deadline_seconds integer NOT NULL DEFAULT 900;"),
    ]
}
