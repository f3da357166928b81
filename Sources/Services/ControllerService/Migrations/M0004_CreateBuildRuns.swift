import Postgres

/// The durable record of one push, and the lines a terminal follows.
///
/// `fence` grows with each claim; a writer with an older fence is refused. `next_sequence` numbers the events.
enum M0004_CreateBuildRuns {
    static let migration = Migration(
        number: 4,
        name: "CreateBuildRuns",
        sql: """
            CREATE TABLE build_runs (
                uuid uuid PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                number integer NOT NULL,
                username text NOT NULL,
                sha text NOT NULL,
                ref text NOT NULL,
                message text NOT NULL DEFAULT '',
                source_key text NOT NULL,
                source_digest text NOT NULL,
                source_size bigint NOT NULL,
                state text NOT NULL DEFAULT 'queued' CONSTRAINT build_runs_state_check CHECK (state IN (
                    'queued', 'building', 'publishing', 'deploying', 'live', 'failed', 'cancelled', 'superseded')),
                fence bigint NOT NULL DEFAULT 0,
                holder text,
                lease_expires timestamptz,
                cancel_requested boolean NOT NULL DEFAULT false,
                build uuid REFERENCES builds (uuid) ON DELETE SET NULL,
                release uuid REFERENCES releases (uuid) ON DELETE SET NULL,
                reason text,
                next_sequence integer NOT NULL DEFAULT 0,
                created timestamptz NOT NULL DEFAULT now(),
                started timestamptz,
                finished timestamptz,
                updated timestamptz NOT NULL DEFAULT now(),
                CONSTRAINT build_runs_number_key UNIQUE (app, number),
                CONSTRAINT build_runs_source_key UNIQUE (app, sha, source_key)
            );
            CREATE INDEX build_runs_release_index ON build_runs (release);
            CREATE INDEX build_runs_open_index ON build_runs (app)
                WHERE state IN ('queued', 'building', 'publishing', 'deploying');

            CREATE TABLE build_run_events (
                build_run uuid NOT NULL REFERENCES build_runs (uuid) ON DELETE CASCADE,
                sequence integer NOT NULL,
                kind text NOT NULL CONSTRAINT build_run_events_kind_check
                    CHECK (kind IN ('header', 'phase', 'line', 'end')),
                phase text,
                text text NOT NULL,
                seconds double precision,
                state text,
                exit integer,
                created timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (build_run, sequence)
            );
            """)
}
